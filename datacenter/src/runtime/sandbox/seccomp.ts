/** What `process.arch` calls a machine for which there is a filter. */
type FilteredArchitecture = "x64" | "arm64";

interface Architecture {
  /** AUDIT_ARCH_… of linux/audit.h. */
  readonly audit: number;
  readonly denied: readonly number[];
  readonly unshare: number;
  readonly clone: number;
}

/**
 * System calls that no workload needs and that have let processes out of namespaces, or that reach beyond them: keys of
 * the kernel, its programs, modules and clocks, mounts, and asynchronous calls that no filter sees. Numbers: x86_64's table, and the generic one that arm64 has.
 */
const denied: Readonly<Record<string, readonly [x64: number | undefined, arm64: number | undefined]>> = {
  acct: [163, 89],
  add_key: [248, 217],
  bpf: [321, 280],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  delete_module: [176, 106],
  fanotify_init: [300, 262],
  finit_module: [313, 273],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  fspick: [433, 433],
  init_module: [175, 105],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  ioperm: [173, undefined],
  iopl: [172, undefined],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  lookup_dcookie: [212, 18],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  nfsservctl: [180, 42],
  open_by_handle_at: [304, 265],
  open_tree: [428, 428],
  perf_event_open: [298, 241],
  pivot_root: [155, 41],
  quotactl: [179, 60],
  reboot: [169, 142],
  request_key: [249, 218],
  settimeofday: [164, 170],
  swapoff: [168, 225],
  swapon: [167, 224],
  syslog: [103, 116],
  umount2: [166, 39],
  uselib: [134, undefined],
  userfaultfd: [323, 282],
  vhangup: [153, 58],
};

function numbers(column: 0 | 1): readonly number[] {
  return Object.values(denied).flatMap((row) => row[column] ?? []);
}

const architectures: Readonly<Record<FilteredArchitecture, Architecture>> = {
  x64: { audit: 0xc000003e, denied: numbers(0), unshare: 272, clone: 56 },
  arm64: { audit: 0xc00000b7, denied: numbers(1), unshare: 97, clone: 220 },
};
const clone3 = 435;
/** CLONE_NEW… of linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e020000;
/** x86_64's second table, of 32-bit pointers, has this bit in its numbers. */
const x32 = 0x40000000;

const returnOf = { allow: 0x7fff0000, permission: 0x00050001, missing: 0x00050026, kill: 0x80000000 };
// Offsets in struct seccomp_data.
const numberAt = 0;
const architectureAt = 4;
const firstArgumentAt = 16;
// BPF instructions: load a word, jump if equal, if at least, if any bit is set, return.
const code = { load: 0x20, equal: 0x15, atLeast: 0x35, anySet: 0x45, return: 0x06 };

interface Instruction {
  readonly code: number;
  readonly value: number;
  readonly whenTrue?: number;
  readonly whenFalse?: number;
}

/**
 * A seccomp filter as the kernel takes it (an array of struct sock_filter, little endian): what is denied fails with
 * EPERM, new namespaces too; clone3, whose flags no filter sees, with ENOSYS, upon which libraries use clone. Calls of
 * another architecture's table end the process. Undefined where there is no filter for the machine.
 */
export function seccompFilter(architecture: string): Buffer | undefined {
  if (architecture !== "x64" && architecture !== "arm64") {
    return undefined;
  }
  const { audit, denied: refused, unshare, clone } = architectures[architecture];
  const give = (value: number): Instruction => ({ code: code.return, value });
  /** Returns `value` for the call of this number; goes on for others. */
  const answer = (number: number, value: number) => [
    { code: code.equal, value: number, whenTrue: 0, whenFalse: 1 },
    give(value),
  ];
  const instructions: readonly Instruction[] = [
    { code: code.load, value: architectureAt },
    { code: code.equal, value: audit, whenTrue: 1, whenFalse: 0 },
    give(returnOf.kill),
    { code: code.load, value: numberAt },
    ...(architecture === "x64"
      ? [{ code: code.atLeast, value: x32, whenTrue: 0, whenFalse: 1 }, give(returnOf.missing)]
      : []),
    ...refused.flatMap((number) => answer(number, returnOf.permission)),
    ...answer(clone3, returnOf.missing),
    { code: code.equal, value: unshare, whenTrue: 1, whenFalse: 0 },
    { code: code.equal, value: clone, whenTrue: 0, whenFalse: 3 },
    { code: code.load, value: firstArgumentAt },
    { code: code.anySet, value: namespaceFlags, whenTrue: 0, whenFalse: 1 },
    give(returnOf.permission),
    give(returnOf.allow),
  ];
  return Buffer.concat(instructions.map(encode));
}

function encode({ code, value, whenTrue = 0, whenFalse = 0 }: Instruction): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt8(whenFalse, 3);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}
