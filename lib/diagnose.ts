import { devices } from './device.js';
import { messageOf } from './errors.js';
import { native } from './native.js';
import { version } from './version.js';

/**
 * What was built, what was found on this machine, and what is missing and how to get it, as text to read or to put
 * into a report. Never throws: where the addon cannot be loaded, it says why.
 */
export function diagnose(): string {
  const lines = [`cudnn-resnet ${version}, Node ${process.version}, ${process.platform}-${process.arch}`];
  try {
    lines.push(native().diagnose().trimEnd(), 'Devices:');
    for (const { id, name, engine, memory } of devices()) {
      lines.push(`  ${id}: ${name}, ${engine}, ${(memory / 2 ** 30).toFixed(1)} GiB`);
    }
  } catch (error) {
    lines.push(messageOf(error));
  }
  return `${lines.join('\n')}\n`;
}
