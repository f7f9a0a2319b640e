/** Requests by region of the client, in one window of time. */
export type Window = Readonly<Record<string, number>>;

export interface Settings {
  /** Regions in which there may be a site beside the first one. */
  readonly regions: readonly string[];
  /** Share of the requests of the latest windows from which on a region gets a site. */
  readonly share: number;
}

export interface Decision {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/**
 * Where sites are wanted: a region gets one when enough of the latest requests come from there, and loses it when
 * none did. In between it keeps what it has, so that a region at the edge does not come and go.
 *
 * @param latest windows, of which a few are kept
 * @param present regions with a site that the manager has made
 */
export function decide(latest: readonly Window[], present: readonly string[], settings: Settings): Decision {
  const sum = (region: string): number => latest.reduce((all, window) => all + (window[region] ?? 0), 0);
  const total = latest.flatMap((window) => Object.values(window)).reduce((all, count) => all + count, 0);
  return {
    add: settings.regions.filter(
      (region) => !present.includes(region) && total > 0 && sum(region) / total >= settings.share,
    ),
    remove: present.filter((region) => sum(region) === 0),
  };
}
