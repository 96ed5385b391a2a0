// Shell code that asks the command itself what may come next, so that it never goes stale.

/** The shells, with the code for each. The hidden command `complete` answers one word a line. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const BASH = `# bash completion of volume-mover. For this shell: source <(volume-mover completion bash)
# For good: volume-mover completion bash > ~/.local/share/bash-completion/completions/volume-mover
_volume_mover() {
  local IFS=$'\\n'
  COMPREPLY=($(volume-mover complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
# File names where the command has no words of its own.
complete -o default -F _volume_mover volume-mover
`;

const ZSH = `#compdef volume-mover
# zsh completion of volume-mover. For this shell: source <(volume-mover completion zsh)
# For good: volume-mover completion zsh > a file "_volume-mover" in a folder of $fpath
_volume_mover() {
  local -a found
  found=("\${(@f)$(volume-mover complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  # File names where the command has no words of its own.
  if (( \${#found} )); then compadd -a found; else _files; fi
}
# In a folder of $fpath this file is the function itself.
if [[ "$funcstack[1]" == _volume-mover ]]; then _volume_mover; else compdef _volume_mover volume-mover; fi
`;

const FISH = `# fish completion of volume-mover. For this shell: volume-mover completion fish | source
# For good: volume-mover completion fish > ~/.config/fish/completions/volume-mover.fish
function __volume_mover_complete
  set -l typed (commandline -opc) (commandline -ct)
  set -l found (volume-mover complete -- $typed[2..-1] 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    # File names where the command has no words of its own.
    __fish_complete_path (commandline -ct)
  end
end
complete -c volume-mover -f -a '(__volume_mover_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
