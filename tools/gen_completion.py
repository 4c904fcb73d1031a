#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the completion of usherctl for bash, zsh and fish, from the rows of the commands of the three programs, of usherctl's own words and
of its options. gen_completion.py ROOT BASH ZSH FISH

Each script finds the program and the command among the words so far, and offers programs, commands, arguments (`name=`), the values of
boolean arguments, options, and files or interfaces behind options that take them."""

import re
import sys
from pathlib import Path

PROGRAMS = {"server": (("src/server/manage/commands.def", "COMMAND"), ("src/server/edit/edit_commands.def", r"\w+_CMDS")),
            "client": (("src/client/os/command.def", "COMMAND"),), "gate": (("src/gate/run/commands.def", "COMMAND"),)}
STRING_OR_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^,\s][^,"]*')


def rows(root, path, macro):
    """The argument lists of macro(...), a pattern, in a .def file, strings unquoted."""
    text = re.sub(r"/\*.*?\*/", "", (root / path).read_text(encoding="utf-8"), flags=re.S)
    for m in re.finditer(rf"^{macro}\((.*)\)\s*$", text, flags=re.M):
        yield [re.sub(r"\\(.)", r"\1", a.strip().strip('"')) for a in STRING_OR_WORD.findall(m.group(1))]


class Command:
    def __init__(self, name, purpose, arguments):
        self.name, self.purpose = name, purpose
        # {name: type}, each once: alternatives repeat names
        self.arguments = dict(re.findall(r"([\w-]+):(\w+)", arguments))


class Option:
    def __init__(self, long, letter, argument, completion, text):
        self.long, self.letter = "--" + long, None if letter == "0" else "-" + letter.strip("'")
        self.argument = None if argument == "NULL" else argument
        self.completion = completion
        self.text = text.split(" (")[0].split(";")[0]

    def names(self):
        return [n for n in (self.letter, self.long) if n]


def read(root):
    """({program: [Command]}, [Option])"""
    # name, four columns for the program, purpose, arguments
    programs = {p: [Command(r[0], r[5], r[6]) for path, macro in files for r in rows(root, path, macro)] for p, files in PROGRAMS.items()}
    for program, name, purpose in rows(root, "src/ctl/local.def", "LOCAL"):
        programs[program.lower()].append(Command(name, purpose, ""))
    options = [Option(*r[1:]) for r in rows(root, "src/ctl/args.def", "OPTION")]
    assert all(programs.values()) and options
    return {p: sorted(c, key=lambda x: x.name) for p, c in programs.items()}, options


def words_of(options, wanted):
    return [n for o in options if wanted(o) for n in o.names()]


def or_never(names):
    """A pattern for `case` of these words."""
    return "|".join(names)


def cases(programs, value, indent):
    """Lines of a `case` over PROGRAM.COMMAND: value(command), where there is one."""
    out = []
    for program, commands in programs.items():
        for c in commands:
            text = value(program, c)
            if text:
                out.append("%s%s.%s) %s ;;" % (indent, program, c.name, text))
    return "\n".join(out)


HEAD = "# Completion of usherctl(1). Made by tools/gen_completion.py from the rows of commands and options.\n"


def bash(programs, options):
    lists = "\n".join("\t\t%s) _usherctl_list='%s' ;;" % (p, " ".join(c.name for c in cmds)) for p, cmds in programs.items())
    arguments = cases(programs, lambda _, c: "_usherctl_list='%s'" % " ".join(a + "=" for a in c.arguments) if c.arguments else "", "\t\t")
    booleans = cases(programs, lambda _, c: "_usherctl_list=' %s '" % " ".join(a for a, t in c.arguments.items() if t == "bool")
                     if "bool" in c.arguments.values() else "", "\t\t")
    return HEAD + """
# Sets _usherctl_list to the commands of a program.
_usherctl_commands()
{
	case $1 in
%(lists)s
	esac
}

# Sets _usherctl_list to the arguments of PROGRAM.COMMAND.
_usherctl_arguments()
{
	_usherctl_list=
	case $1 in
%(arguments)s
	esac
}

# Sets _usherctl_list to its boolean arguments.
_usherctl_booleans()
{
	_usherctl_list=
	case $1 in
%(booleans)s
	esac
}

# The words are split at "=" and ":" (COMP_WORDBREAKS).
_usherctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} program= command= option= name= word i _usherctl_list=
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == *[=:] ]]; then
			option=${option:-$name}
			name=${COMP_WORDS[i-1]}
			[[ $command ]] || option=${option:-value}
			continue
		fi
		name=
		if [[ $option ]]; then
			option=
			continue
		fi
		case $word in
		%(valued)s) option=$word name=$word ;;
		-*) ;;
		%(programs)s)
			if [[ $program || $command ]]; then command=${command:-$word}; else program=$word; fi ;;
		*) command=${command:-$word} ;;
		esac
	done
	program=${program:-server}
	if [[ $cur == *[=:] ]]; then
		name=${COMP_WORDS[COMP_CWORD-1]}
		cur=
	fi
	case $option in
	%(files)s)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	%(interfaces)s)
		_usherctl_list=$(cd /sys/class/net 2>/dev/null && echo *)
		;;
	?*) return ;;
	*)
		if [[ $cur == -* ]]; then
			_usherctl_list='%(options)s'
		elif [[ ! $command ]]; then
			_usherctl_commands "$program"
			((COMP_CWORD > 1)) || _usherctl_list+=' %(program_words)s'
		elif [[ $command == help ]]; then
			_usherctl_commands "$program"
		elif [[ $name ]]; then
			_usherctl_booleans "$program.$command"
			if [[ $_usherctl_list == *" $name "* ]]; then _usherctl_list='true false'; else return; fi
		elif [[ $cur == @* ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -P @ -f -- "${cur#@}")
			return
		else
			_usherctl_arguments "$program.$command"
			compopt -o nospace 2>/dev/null
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$_usherctl_list" -- "$cur")
}

complete -F _usherctl usherctl
""" % {"lists": lists, "arguments": arguments, "booleans": booleans, "programs": "|".join(programs), "program_words": " ".join(programs),
       "valued": or_never(words_of(options, lambda o: o.argument)), "options": " ".join(words_of(options, lambda o: True)),
       "files": or_never(words_of(options, lambda o: o.completion == "FILES")),
       "interfaces": or_never(words_of(options, lambda o: o.completion == "INTERFACES"))}


def quoted(text):
    """A word of zsh or fish in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def zsh_word(text):
    """A word of zsh in single quotes: a backslash is itself in them."""
    return "'" + text.replace("'", "'\\''") + "'"


def zsh(programs, options):
    def described(name, text):
        return zsh_word("%s:%s" % (name.replace(":", "\\:"), text))

    lists = "\n".join("\t%s) list=(%s) ;;" % (p, " ".join(described(c.name, c.purpose) for c in cmds)) for p, cmds in programs.items())
    arguments = cases(programs, lambda _, c: "list=(%s)" % " ".join(described(a, t) for a, t in c.arguments.items()) if c.arguments else "", "\t")
    booleans = cases(programs, lambda _, c: "list=(%s)" % " ".join(a for a, t in c.arguments.items() if t == "bool")
                     if "bool" in c.arguments.values() else "", "\t")
    return "#compdef usherctl\n" + HEAD + """
_usherctl_commands() {
	local -a list
	case $1 in
%(lists)s
	esac
	_describe -t commands command list
}

_usherctl_arguments() {
	local -a list
	case $1 in
%(arguments)s
	esac
	_describe -t arguments argument list -S =
}

# Offers true and false for a boolean argument: PROGRAM.COMMAND NAME.
_usherctl_value() {
	local -a list
	case $1 in
%(booleans)s
	esac
	(( ${list[(Ie)$2]} )) && compadd true false
}

_usherctl() {
	local program= command= option= word
	local -i i
	local -a options
	options=(%(options)s)
	for ((i = 2; i < CURRENT; i++)); do
		word=${words[i]}
		if [[ -n $option ]]; then
			option=
			continue
		fi
		case $word in
		(%(valued)s) option=$word ;;
		(-*) ;;
		(%(programs)s)
			if [[ -n $program || -n $command ]]; then command=${command:-$word}; else program=$word; fi ;;
		(*) command=${command:-$word} ;;
		esac
	done
	program=${program:-server}
	word=${words[CURRENT]}
	case $option in
	(%(files)s) _files; return ;;
	(%(interfaces)s) compadd -- /sys/class/net/*(N:t); return ;;
	(?*) _message value; return ;;
	esac
	if [[ $word == -* ]]; then
		_describe -o -t options option options
	elif [[ -z $command ]]; then
		_usherctl_commands $program
		(( CURRENT > 2 )) || compadd %(program_words)s
	elif [[ $command == help ]]; then
		_usherctl_commands $program
	elif [[ $word == *=* ]]; then
		local name=${word%%%%=*}
		compset -P '*='
		_usherctl_value $program.$command $name
	elif [[ $word == @* ]]; then
		compset -P @
		_files
	else
		_usherctl_arguments $program.$command
	fi
}

_usherctl "$@"
""" % {"lists": lists, "arguments": arguments, "booleans": booleans, "programs": "|".join(programs), "program_words": " ".join(programs),
       "valued": or_never(words_of(options, lambda o: o.argument)),
       "options": " ".join(described(n, o.text) for o in options for n in o.names()),
       "files": or_never(words_of(options, lambda o: o.completion == "FILES")),
       "interfaces": or_never(words_of(options, lambda o: o.completion == "INTERFACES"))}


def fish(programs, options):
    out = [HEAD + """
# Writes the program and the command among the words so far.
function __usherctl_words
	set -l program
	set -l command
	set -l skip
	for word in (commandline -opc)[2..-1]
		if test -n "$skip"
			set skip
			continue
		end
		switch $word
			case %(valued)s
				set skip 1
			case '-*'
			case %(programs)s
				if test -n "$program"; or test -n "$command"
					test -n "$command"; or set command $word
				else
					set program $word
				end
			case '*'
				test -n "$command"; or set command $word
		end
	end
	test -n "$program"; or set program server
	echo "$program.$command"
end

# Returns whether the words so far name this program and command; the command "" is none yet.
function __usherctl_at
	test (__usherctl_words) = $argv[1]
end

complete -c usherctl -f""" % {"valued": " ".join(words_of(options, lambda o: o.argument)), "programs": " ".join(programs)}]
    for o in options:
        names = " ".join("-l " + n[2:] if n.startswith("--") else "-s " + n[1:] for n in o.names())
        takes = {"FILES": " -r -F", "INTERFACES": " -x -a '(command ls /sys/class/net)'"}.get(o.completion, " -x" if o.argument else "")
        out.append("complete -c usherctl %s%s -d %s" % (names, takes, quoted(o.text)))
    for p in programs:
        out.append("complete -c usherctl -n 'test (count (commandline -opc)) -eq 1' -a %s -d 'commands of usher-%s'" % (p, p))
    for p, commands in programs.items():
        for c in commands:
            out.append("complete -c usherctl -n '__usherctl_at %s.' -a %s -d %s" % (p, c.name, quoted(c.purpose)))
            if c.name != "help":
                out.append("complete -c usherctl -n '__usherctl_at %s.help' -a %s -d %s" % (p, c.name, quoted(c.purpose)))
            for a, t in c.arguments.items():
                offered = "%s=true %s=false" % (a, a) if t == "bool" else a + "="
                out.append("complete -c usherctl -n '__usherctl_at %s.%s' -a '%s' -d %s" % (p, c.name, offered, t))
    return "\n".join(out) + "\n"


def main():
    root = Path(sys.argv[1])
    programs, options = read(root)
    for path, make in zip(sys.argv[2:5], (bash, zsh, fish)):
        Path(path).write_text(make(programs, options), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
