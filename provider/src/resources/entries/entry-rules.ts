import type { EntryKind, Manifest, ManifestConnection, ManifestWorkload, Stamp } from "@dcx/protocol";
import type { Deadline } from "../../await/wait";
import type { WantedImage } from "../../images/tag-resolver";
import type { DeploymentKey } from "../../network/driver";
import type { ActualDeployment, Snapshot } from "../../network/snapshot";
import type { Digests } from "../../plan/describe-entries";
import type { ValueMap } from "../../wire/value";
import type { Draft } from "../commit/change";
import type { Field } from "../inputs/shape";
import type { CallContext } from "../resource";
import type { Session } from "../session";

export type EntryContent = ManifestWorkload | ManifestConnection;

/** What is particular about one kind of entry. */
export interface EntryKindRules<Content extends EntryContent> {
  readonly token: string;
  readonly kind: EntryKind;
  readonly fields: Readonly<Record<string, Field>>;
  /** @throws {ManifestError} */
  content(inputs: ValueMap): Content;
  find(manifest: Manifest, name: string): Content | undefined;
  inputs(content: Content, marks: ValueMap | undefined): ValueMap;
  place(draft: Draft, name: string, content: Content, stamp: Stamp, isNew: boolean): Draft;
  /** What has to be there before this entry can be declared. */
  waitsFor(content: Content, draft: Draft, deployment: ActualDeployment): string | undefined;
  /** Waits until it is done, and returns the outputs that only this tells. */
  arrive(session: Session, entry: ArrivingEntry<Content>, deadline: Deadline, context: CallContext): Promise<ValueMap>;
  /** Outputs as far as they follow from the content alone, for previews. */
  foretell(content: Content, oldState: ValueMap | undefined): ValueMap;
  /** Outputs of an entry that is there, read without waiting. */
  observe(
    session: Session,
    entry: ArrivingEntry<Content>,
    oldState: ValueMap | undefined,
    signal: AbortSignal,
  ): Promise<ValueMap>;
  /**
   * What an entry that is there lacks of being done, told without waiting; nothing where nobody can tell, and nothing
   * where it was done and its datacenter is only about to bring it up to date.
   */
  lacks(
    session: Session,
    entry: ArrivingEntry<Content>,
    oldState: ValueMap | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  describe(before: Content | undefined, after: Content, digests: Digests): string;
  /** Images that it runs. */
  images(content: Content): readonly WantedImage[];
}

/** What the operations on entries of one kind work with. */
export interface EntryOperations<Content extends EntryContent> {
  readonly session: Session;
  readonly rules: EntryKindRules<Content>;
  /** Entries as the diffs of this process saw them, by URN: as `Session.compared`. */
  readonly compared: Map<string, { readonly deployment: ActualDeployment; readonly content: Content | undefined }>;
}

export interface ArrivingEntry<Content extends EntryContent> {
  readonly id: string;
  readonly deploymentId: string;
  readonly deployment: DeploymentKey;
  readonly name: string;
  readonly content: Content;
  readonly digest: string;
  readonly inputs: ValueMap;
  readonly manifest: Manifest;
  readonly snapshot: Snapshot;
}

/** Inputs that steer the provider and are no part of an entry. */
export const LOCAL: ReadonlySet<string> = new Set(["skipAwait", "waitFor"]);
