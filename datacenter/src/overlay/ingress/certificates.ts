import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import type { CertificateFiles, HostLeafIssuer, OverlayLogger } from "../overlay";

/** How often files are looked at, in milliseconds. */
const lookInterval = 2_000;
/** Milliseconds that an issued certificate is valid; it is renewed at half of that. */
const lifetime = 7 * 24 * 3_600_000;
/** So long before an operator's certificate expires the log says so, in milliseconds; but not before so much of its life. */
const warnedBefore = 7 * 24 * 3_600_000;
const lastPart = 1 / 4;
/** Clocks differ. */
const clockSkew = 300_000;

interface FromFiles {
  readonly files: CertificateFiles;
  readonly stamp: string;
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
}

interface Issued {
  readonly context: Promise<SecureContext>;
  readonly renewAt: number;
}

/** The certificates by which host names are served: the operator's where one is for the name, else the datacenter's own. */
export class HostCertificates {
  readonly #domain: string;
  readonly #issue: HostLeafIssuer;
  readonly #logger: OverlayLogger;
  readonly #timer: NodeJS.Timeout;
  readonly #files: readonly CertificateFiles[];
  readonly #folder: string | undefined;
  #fromFiles: readonly FromFiles[] = [];
  readonly #issued = new Map<string, Issued>();
  /** The last thing that was wrong with each file, so that it is logged once. */
  readonly #problems = new Map<string, string>();
  /** Of certificates that were said to expire soon, or to have expired: what was said last. */
  readonly #expiring = new Map<string, string>();

  /** @throws {Error} where the files can't be used; the message names them. What is wrong in the folder is logged. */
  constructor(options: {
    readonly domain: string;
    readonly files: readonly CertificateFiles[];
    /** Of more of them: `<any>.crt` with `<any>.key`. */
    readonly folder?: string;
    readonly issue: HostLeafIssuer;
    readonly logger: OverlayLogger;
  }) {
    this.#domain = options.domain;
    this.#issue = options.issue;
    this.#logger = options.logger;
    this.#files = options.files;
    this.#folder = options.folder;
    this.#fromFiles = options.files.map(readCertificate);
    this.#look();
    this.#timer = setInterval(() => this.#look(), lookInterval);
    this.#timer.unref();
  }

  /** For a name that is served here. Rejects where none can be made. */
  async context(host: string): Promise<SecureContext> {
    const now = Date.now();
    const found = this.#fromFiles.find(
      ({ certificate }) => certificate.checkHost(host) !== undefined && Date.parse(certificate.validTo) > now,
    );
    return found?.context ?? this.#issuedFor(isGenerated(host, this.#domain) ? `*.${this.#domain}` : host, now);
  }

  /** Forgets what was made for a name that is no longer served. */
  forget(host: string): void {
    this.#issued.delete(host);
  }

  /** What the datacenter issued is made anew when it is asked for: its root is another one. */
  renew(): void {
    this.#issued.clear();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #issuedFor(name: string, now: number): Promise<SecureContext> {
    const known = this.#issued.get(name);
    if (known !== undefined && known.renewAt > now) return known.context;
    const made = this.#make(name, now);
    this.#issued.set(name, { context: made, renewAt: now + lifetime / 2 });
    try {
      return await made;
    } catch (error) {
      this.#issued.delete(name);
      throw error;
    }
  }

  async #make(host: string, now: number): Promise<SecureContext> {
    const validity = { notBefore: new Date(now - clockSkew), notAfter: new Date(now + lifetime) };
    const { certificate, privateKey } = await this.#issue({ hosts: [host], ...validity });
    return createSecureContext({ cert: certificate, key: privateKey });
  }

  #look(): void {
    const wanted = [...this.#files, ...(this.#folder === undefined ? [] : certificatesIn(this.#folder))];
    this.#fromFiles = wanted.flatMap((files) => {
      const known = this.#fromFiles.find((one) => one.files.certificateFile === files.certificateFile);
      const found = this.#read(files, known);
      return found === undefined ? [] : [found];
    });
    for (const each of this.#fromFiles) this.#warnOfExpiry(each);
  }

  /** Once when it comes near, and once when it has come: from then on names are served by another certificate. */
  #warnOfExpiry({ files: { certificateFile }, certificate, stamp }: FromFiles): void {
    const { subjectAltName: hosts, validFrom, validTo } = certificate;
    const left = Date.parse(validTo) - Date.now();
    const warned = Math.min(warnedBefore, (Date.parse(validTo) - Date.parse(validFrom)) * lastPart);
    const state = left <= 0 ? "expired" : left <= warned ? "soon" : undefined;
    const said = state === undefined ? undefined : `${state} ${stamp}`;
    if (said === undefined || this.#expiring.get(certificateFile) === said) return;
    this.#expiring.set(certificateFile, said);
    const details = { certificateFile, hosts, validTo };
    if (state === "soon") {
      this.#logger.warn(details, "a certificate expires soon: renew it; a new file is read as soon as it is there");
      return;
    }
    const instead = "unless another file is for them its names are served by one under this datacenter's root";
    this.#logger.warn(details, `a certificate has expired: renew it; ${instead}, which browsers don't trust`);
  }

  /** What is in the files now; while that can't be used, what was known. */
  #read(files: CertificateFiles, known: FromFiles | undefined): FromFiles | undefined {
    const { certificateFile } = files;
    try {
      if (known !== undefined && stampOf(files) === known.stamp) return known;
      const read = readCertificate(files);
      this.#problems.delete(certificateFile);
      const { subjectAltName, validTo } = read.certificate;
      this.#logger.info({ certificateFile, hosts: subjectAltName, validTo }, "a certificate was read");
      return read;
    } catch (error) {
      // While one of the two files is still the old one, they don't match: the next look will find that they do.
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#problems.get(certificateFile) !== reason) {
        this.#problems.set(certificateFile, reason);
        const instead = known === undefined ? "" : "; the one before is served";
        this.#logger.warn({ certificateFile, reason }, `a certificate can't be read${instead}`);
      }
      return known;
    }
  }
}

/** The `<any>.crt` of a folder that have an `<any>.key`. None where there is no such folder (yet). */
export function certificatesIn(folder: string): CertificateFiles[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(".crt"))
    .map((name) => ({ certificate: name, key: `${name.slice(0, -".crt".length)}.key` }))
    .filter(({ key }) => names.includes(key))
    .map(({ certificate, key }) => ({ certificateFile: join(folder, certificate), keyFile: join(folder, key) }));
}

/** Reads a certificate (with what follows it in its chain) and its key. @throws {Error} naming the file */
export function readCertificate(files: CertificateFiles): FromFiles {
  const stamp = stampOf(files);
  const pem = read(files.certificateFile);
  const key = read(files.keyFile);
  const certificate = attempt(files.certificateFile, "holds no certificate in PEM", () => new X509Certificate(pem));
  const privateKey = attempt(files.keyFile, "holds no private key in PEM", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`${files.keyFile} is not the key of the certificate in ${files.certificateFile}`);
  }
  const context = attempt(files.certificateFile, "can't be used for TLS", () =>
    createSecureContext({ cert: pem, key }),
  );
  return { files, stamp, certificate, context };
}

function isGenerated(host: string, domain: string): boolean {
  return host.endsWith(`.${domain}`);
}

function read(file: string): string {
  return attempt(file, "can't be read", () => readFileSync(file, "utf8"));
}

/** What goes wrong with a key is not repeated: it may quote it. */
function attempt<T>(file: string, problem: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? ` (${String(error.code)})` : "";
    throw new Error(`${file} ${problem}${code}`);
  }
}

/** Changes when one of the files does, or another file takes its place (also behind a link). */
function stampOf({ certificateFile, keyFile }: CertificateFiles): string {
  return [certificateFile, keyFile]
    .map((file) => attempt(file, "can't be read", () => statSync(file)))
    .map(({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`)
    .join(", ");
}
