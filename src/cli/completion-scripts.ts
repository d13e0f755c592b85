/**
 * Scripts with which bash, zsh and fish complete `bestframe`. Each script has the whole table in it, so the shell starts no process
 * while somebody types.
 */
import { type Place, pathsOf } from './completion-table.ts';

/** In single quotes, for any of the three shells: no text has a control character. */
const quote = (text: string) => `'${text.replaceAll('\\', '').replaceAll("'", '’')}'`;

export const COMPLETION_SCRIPTS = { bash, zsh, fish } as const;

function bash(places: readonly Place[]): string {
  const words = places.map(({ path, words: each }) => `    ${quote(path)}) words=${quote(textsOf(each))} ;;`);
  const values = places.flatMap(({ path, values: each }) =>
    each.map(({ option, choices }) => {
      const then = choices.length === 0 ? 'return 0' : `words=${quote(choices.join(' '))}`;
      return `    ${quote(`${path} ${option}`)}) ${then} ;;`;
    }),
  );
  return `# bash completion of bestframe. To use it, add to ~/.bashrc: source <(bestframe completion bash)
_bestframe() {
  local at='' words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$at \${COMP_WORDS[index]}" in
    ${patternOf(pathsOf(places))}) at="\${at:+$at }\${COMP_WORDS[index]}" ;;
    esac
  done
  COMPREPLY=()
  case "$at" in
${words.join('\n')}
  esac
  case "$at \${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _bestframe bestframe
`;
}

function zsh(places: readonly Place[]): string {
  const describe = (text: string, about: string) => quote(`${text.replaceAll(':', '\\:')}:${about}`);
  const words = places.map(
    ({ path, words: each }) =>
      `    ${quote(path)}) found=(${each.map(({ text, about }) => describe(text, about)).join(' ')}) ;;`,
  );
  const values = places.flatMap(({ path, values: each }) =>
    each.map(({ option, choices }) => {
      const then = choices.length === 0 ? '_files; return' : `compadd -- ${choices.map(quote).join(' ')}; return`;
      return `    ${quote(`${path} ${option}`)}) ${then} ;;`;
    }),
  );
  return `#compdef bestframe
# zsh completion of bestframe. To use it, add to ~/.zshrc, after compinit: source <(bestframe completion zsh)
_bestframe() {
  local at='' word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
    ${patternOf(pathsOf(places))}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  _describe bestframe found || _files
}
compdef _bestframe bestframe
`;
}

function fish(places: readonly Place[]): string {
  const paths = pathsOf(places).map((path) => quote(path.includes(' ') ? path : ` ${path}`));
  const words = places.flatMap(({ path, words: each, values }) =>
    each.map(({ text, about }) => {
      const value = values.find(({ option }) => option === text);
      const takes =
        value === undefined ? '' : value.choices.length === 0 ? ' -r -F' : ` -x -a ${quote(value.choices.join(' '))}`;
      const what = text.startsWith('--') ? `-l ${text.slice(2)}${takes}` : `-f -a ${text}`;
      return `complete -c bestframe -n ${quote(`__bestframe_at "${path}"`)} ${what} -d ${quote(about)}`;
    }),
  );
  return `# fish completion of bestframe. To use it: bestframe completion fish > ~/.config/fish/completions/bestframe.fish
function __bestframe_at
  set -l at ''
  for word in (commandline -opc)[2..]
    if contains -- "$at $word" ${paths.join(' ')}
      set at (string trim -- "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
${words.join('\n')}
`;
}

function textsOf(words: Place['words']): string {
  return words.map(({ text }) => text).join(' ');
}

/** The alternatives of a \`case\`: \`<path so far> <word>\`, which begins with a space at the start. */
function patternOf(paths: readonly string[]): string {
  return paths.map((path) => quote(path.includes(' ') ? path : ` ${path}`)).join(' | ');
}
