import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The process that works on a file, in the name that the file has meanwhile: `HOST.PID.BEGAN.RANDOM`. */
export interface Owner {
  host: string;
  pid: number;
  began: number;
}

/** Containers may share a host's name and a folder, and have numbers of their own for processes. */
function processNumbers(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return ''; // not Linux
  }
}

const thisHost = createHash('sha256').update(`${hostname()} ${processNumbers()}`).digest('hex').slice(0, 8);

/** Seconds from the start of the machine, by a clock that nobody sets, to that of this process; the same in its threads. */
const thisBegan = Math.round(Number(process.hrtime.bigint()) / 1e9 - process.uptime());

/** What makes a name this process's own, and one that no other file has. */
export function ownName(): string {
  return `${thisHost}.${process.pid}.${thisBegan}.${randomBytes(4).toString('hex')}`;
}

/** Whose name that is; undefined where it is none. */
export function ownerOf(name: string): Owner | undefined {
  const match = /^([0-9a-f]{8})\.(\d+)\.(\d+)\.[0-9a-f]{8}$/.exec(name);
  return match ? { host: match[1]!, pid: Number(match[2]), began: Number(match[3]) } : undefined;
}

/** Whether the process is known to be gone, as none of another host is. */
export function isGone({ host, pid, began }: Owner): boolean {
  if (host !== thisHost) return false;
  // the first process of a container has the number of the one before it; threads may round to numbers beside each other
  if (pid === process.pid) return Math.abs(began - thisBegan) > 1;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
