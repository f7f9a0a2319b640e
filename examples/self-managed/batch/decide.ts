export interface Load {
  /** Tasks that wait or are being worked on. */
  readonly unfinished: number;
  /** Nodes that the deployment has for the batch: 0 while there is no infrastructure for it. */
  readonly nodes: number;
}

export interface Settings {
  readonly tasksPerNode: number;
  readonly mostNodes: number;
}

/**
 * Nodes that there should be: enough for what is to be done, none when nothing is. A batch keeps the nodes that it
 * began with: other terms would move its lease in the middle of the work.
 */
export function wantedNodes({ unfinished, nodes }: Load, { tasksPerNode, mostNodes }: Settings): number {
  if (unfinished === 0) {
    return 0;
  }
  return nodes > 0 ? nodes : Math.min(mostNodes, Math.ceil(unfinished / tasksPerNode));
}
