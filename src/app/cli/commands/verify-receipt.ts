import { formatTime } from '../../../core/clock.js';
import { describeError, HoldfastError } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanCount, printable } from '../../../host/human.js';
import type { CommandDefinition } from '../command-definition.js';

export const verifyReceiptCommand: CommandDefinition = {
  name: 'verify-receipt',
  summary: 'check the signature of the receipt of a deletion',
  description:
    'Checks that one of the given keys signed the receipt and that nobody changed it since, and prints what it says ' +
    '(docs/deletion.md). It does not look at the places again: holdfast delete without --confirm does.',
  examples: [
    ['holdfast verify-receipt deletion-0123456789abcdef.receipt.json --key hfver1_...', 'by a published key'],
  ],
  parameters: [],
  configure(command) {
    command
      .argument('<receipt>', 'file that holdfast delete wrote')
      .requiredOption('--key <key...>', 'verifying keys of signers that you trust: hfver1_...');
  },
  async run(invocation) {
    const { args, options, ports } = invocation;
    const { decodeKey } = await import('../../../encryption/key-text.js');
    const { verifyReceipt } = await import('../../../deletion/deletion-receipt.js');
    const keys = (options['key'] as readonly string[]).map((text) => decodeKey('verifying', text, '--key'));
    const path = args[0] ?? '';
    const text = await ports.fs.readFile(path, 'utf8').catch((cause: unknown) => {
      const message = `the receipt ${path} cannot be read: ${describeError(cause)}`;
      throw new HoldfastError('SOURCE_UNREADABLE', message, { cause, facts: { path } });
    });
    const receipt = verifyReceipt(text, keys, path);
    const { plan, by, reason, finishedAt, places, signedBy } = receipt;
    await invocation.say(
      printable(`plan ${plan}, by ${by} (${reason}), finished ${formatTime(BigInt(finishedAt))}`),
    );
    for (const { place, removed, kept } of places) {
      const counts = `${humanCount(removed.length)} segments removed, ${humanCount(kept.length)} kept`;
      await invocation.say(printable(`${place}: ${counts}`));
    }
    await invocation.say(`signed by ${signedBy}`);
    return { exitCode: exitCodes.ok, json: { ok: true, receipt } };
  },
};
