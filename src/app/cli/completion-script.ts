import type { Command, Option } from 'commander';

/** Shells for which there is a completion script. */
export type Shell = 'bash' | 'zsh' | 'fish';

/** The script that completes commands, flags and paths in a shell, from the definition of the command line. */
export function completionScript(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](program);
}

const flagsOf = (command: Command): readonly Option[] => command.options.filter(({ hidden }) => !hidden);
/** Whether a value follows the flag. */
const takesValue = ({ required, optional }: Option): boolean => required || optional;
/** The first sentence, on one line. */
const brief = (text: string): string =>
  text
    .replaceAll(/\s+/g, ' ')
    .replace(/\. .*$/, '')
    .replace(/\.$/, '');
/** A text in single quotes of bash and zsh. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(program: Command): string {
  const names = program.commands.map((one) => one.name());
  const cases = program.commands.map((command) => {
    const options = flagsOf(command);
    const words = ['--help', ...options.map(({ long }) => long ?? '')].join(' ');
    const valued = options.filter(takesValue).map(({ long }) => long ?? '');
    return `    ${command.name()})
      words=${quoted(words)}
      valued=${quoted(` ${valued.join(' ')} `)}
      ;;`;
  });
  return `# bash completion of holdfast: source <(holdfast completion bash)
_holdfast() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words='' valued=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W ${quoted(`${names.join(' ')} --help --version`)} -- "$current")
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [[ "$current" == -* && "$valued" != *" $previous "* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null || true
  fi
}
complete -F _holdfast holdfast
`;
}

function zsh(program: Command): string {
  const described = program.commands.map(
    (one) => `    ${quoted(`${one.name()}:${one.summary().replaceAll(':', '\\:')}`)}`,
  );
  const escape = (text: string): string => brief(text).replaceAll(/[[\]\\:]/g, '\\$&');
  const cases = program.commands.map((command) => {
    const specs = flagsOf(command).map((option) => {
      const value = takesValue(option) ? ':value:_files' : '';
      return `        ${quoted(`*${option.long ?? ''}[${escape(option.description)}]${value}`)}`;
    });
    return `    ${command.name()})
      _arguments \\
${[...specs, "        '*:path:_files'"].join(' \\\n')}
      ;;`;
  });
  return `#compdef holdfast
# zsh completion of holdfast: holdfast completion zsh > "\${fpath[1]}/_holdfast"
_holdfast() {
  local -a names
  names=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command names
    return
  fi
  local name="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$name" in
${cases.join('\n')}
  esac
}
if [ "\${funcstack[1]}" = _holdfast ]; then
  _holdfast "$@"
elif (( $+functions[compdef] )); then
  compdef _holdfast holdfast
fi
`;
}

function fish(program: Command): string {
  const text = (one: string): string => `'${brief(one).replaceAll(/['\\]/g, '\\$&')}'`;
  const commands = program.commands.map(
    (one) => `complete -c holdfast -n __fish_use_subcommand -f -a ${one.name()} -d ${text(one.summary())}`,
  );
  const options = program.commands.flatMap((command) =>
    flagsOf(command).map((option) => {
      const name = (option.long ?? '').replace(/^--/, '');
      const value = takesValue(option) ? ' -r' : '';
      const when = `'__fish_seen_subcommand_from ${command.name()}'`;
      return `complete -c holdfast -n ${when} -l ${name}${value} -d ${text(option.description)}`;
    }),
  );
  return `# fish completion of holdfast: holdfast completion fish > ~/.config/fish/completions/holdfast.fish
${[...commands, ...options].join('\n')}
`;
}
