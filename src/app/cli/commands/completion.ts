import { exitCodes } from '../../../host/exit-code.js';
import { configInvalid } from '../../../settings/fault.js';
import { completionScript } from '../completion-script.js';
import type { CommandDefinition } from '../command-definition.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const completionCommand: CommandDefinition = {
  name: 'completion',
  summary: 'print the completion script of a shell',
  description:
    'Prints a script with which the shell completes the commands, their flags and paths. The script comes from ' +
    'the definition of the commands, so make it again after an update.',
  examples: [
    ['source <(holdfast completion bash)', 'in ~/.bashrc'],
    ['holdfast completion zsh > "${fpath[1]}/_holdfast"', 'once, for zsh'],
    ['holdfast completion fish > ~/.config/fish/completions/holdfast.fish', 'once, for fish'],
  ],
  parameters: ['log.level', 'log.format'],
  configure(command) {
    command.argument('<shell>', SHELLS.join(', '));
  },
  async run(invocation) {
    const [value] = invocation.args;
    const shell = SHELLS.find((one) => one === value);
    if (shell === undefined) {
      const allowed = `allowed: ${SHELLS.join(', ')}`;
      throw configInvalid([{ where: 'the command line', path: 'shell', value, allowed }]);
    }
    const script = completionScript(invocation.program, shell);
    if (!invocation.json) await invocation.terminal.out(script.trimEnd());
    return { exitCode: exitCodes.ok, json: { ok: true, shell, script } };
  },
};
