import { print } from './output.js';
import { type Command, UsageError } from './usage.js';

export const info: Command = {
  summary: 'Tells which devices there are, what was built, what is missing and how to get it',
  operands: '',
  details: 'Put its output into a bug report.',
  options: { json: { help: 'the devices and the text as one line of JSON' } },

  async run(operands, given) {
    if (operands.length > 0) {
      throw new UsageError(`info takes no arguments, got '${operands[0]}'`);
    }
    const { devices, diagnose } = await import('../index.js');
    const text = diagnose().trimEnd();
    await print(given.json ? `${JSON.stringify({ devices: devices(), diagnosis: text })}\n` : `${text}\n`);
    return 0;
  },
};
