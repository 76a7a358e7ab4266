/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban completion: completion for bash, zsh and fish, made from the table of
 * commands, so that it can't lag behind it.
 */
#include <string.h>

#include "command/commands.h"

static void
print_names(const char *between)
{
	for (size_t i = 0; command_at(i); i++)
		(void)printf("%s%s", i ? between : "", command_at(i)->name);
}

/* Those of one command, or those that all take. */
static void
print_options(const struct command *command, const char *before)
{
	for (size_t i = 0; command_option_at(i); i++) {
		const struct command_option *option = command_option_at(i);

		if (command ? command_takes(command, option) && !option->all
			    : option->all)
			(void)printf("%s--%s", before, option->name);
	}
}

static void
bash(void)
{
	(void)puts("# bash completion for mailban; made by "
		   "\"mailban completion bash\"\n"
		   "_mailban() {\n"
		   "\tlocal word=${COMP_WORDS[COMP_CWORD]} command= i words\n"
		   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "\t\tcase ${COMP_WORDS[i]} in -*) ;; *)\n"
		   "\t\t\tcommand=${COMP_WORDS[i]}; break ;; esac\n"
		   "\tdone\n"
		   "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n"
		   "\t--config | --control | --rules | --html | --textfile)\n"
		   "\t\tCOMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
		   "\t--class) words='auth-failure unknown-client rejected "
		   "protocol-abuse spam by-hand' ;;\n"
		   "\t--sort) words='address from until count packets' ;;\n"
		   "\t--format) words='list nft json' ;;\n"
		   "\t--policy) words='balanced daily-script' ;;\n"
		   "\t--for) words='10m 1h 12h 1d 7d 30d permanent' ;;\n"
		   "\t*) case $command in");
	(void)printf("\t\t'') words='");
	print_names(" ");
	(void)puts(" --help --version' ;;");
	for (size_t i = 0; command_at(i); i++) {
		const struct command *command = command_at(i);

		(void)printf("\t\t%s%s%s) words='%s", command->name,
			command->alias ? " | " : "",
			command->alias ? command->alias : "",
			command_choices(command));
		print_options(command, " ");
		print_options(NULL, " ");
		(void)puts("' ;;");
	}
	(void)puts("\t\tesac ;;\n"
		   "\tesac\n"
		   "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
		   "\tcase $command in import | test | replay)\n"
		   "\t\tCOMPREPLY+=($(compgen -f -- \"$word\")) ;;\n"
		   "\tunban | unbanip | why | explain)\n"
		   "\t\tcase $word in -*) ;; *)\n"
		   "\t\t\tCOMPREPLY+=($(compgen -W "
		   "\"$(mailban export 2>/dev/null | head -n 200)\" -- "
		   "\"$word\")) ;; esac ;;\n"
		   "\tesac\n"
		   "}\n"
		   "complete -o filenames -F _mailban mailban");
}

static void
zsh(void)
{
	(void)puts("#compdef mailban\n"
		   "# zsh completion for mailban; made by "
		   "\"mailban completion zsh\"\n"
		   "_mailban() {\n"
		   "\tlocal -a commands\n"
		   "\tcommands=(");
	for (size_t i = 0; command_at(i); i++)
		(void)printf("\t\t\"%s:%s\"\n", command_at(i)->name,
			command_at(i)->what);
	(void)puts("\t)\n"
		   "\tif (( CURRENT == 2 )); then\n"
		   "\t\t_describe command commands\n"
		   "\t\treturn\n"
		   "\tfi\n"
		   "\tcase $words[2] in");
	for (size_t i = 0; command_at(i); i++) {
		const struct command *command = command_at(i);

		(void)printf("\t%s) compadd -- %s", command->name,
			command_choices(command));
		print_options(command, " ");
		print_options(NULL, " ");
		(void)puts(" ;;");
	}
	(void)puts("\tesac\n"
		   "\tcase $words[2] in import|test|replay) _files ;; esac\n"
		   "}\n"
		   "_mailban \"$@\"");
}

static void
fish(void)
{
	(void)puts("# fish completion for mailban; made by "
		   "\"mailban completion fish\"\n"
		   "complete -c mailban -f");
	for (size_t i = 0; command_at(i); i++) {
		const struct command *command = command_at(i);

		(void)printf("complete -c mailban -n __fish_use_subcommand -a "
			     "%s -d \"%s\"\n",
			command->name, command->what);
		if (command_choices(command)[0])
			(void)printf(
				"complete -c mailban -n "
				"'__fish_seen_subcommand_from %s' -a '%s'\n",
				command->name, command_choices(command));
		for (size_t j = 0; command_option_at(j); j++) {
			const struct command_option *option =
				command_option_at(j);

			if (!option->all && command_takes(command, option))
				(void)printf("complete -c mailban -n "
					     "'__fish_seen_subcommand_from "
					     "%s' -l %s%s -d \"%s\"\n",
					command->name, option->name,
					option->argument ? " -r" : "",
					option->what);
		}
	}
	for (size_t j = 0; command_option_at(j); j++)
		if (command_option_at(j)->all)
			(void)printf("complete -c mailban -l %s%s -d \"%s\"\n",
				command_option_at(j)->name,
				command_option_at(j)->argument ? " -r" : "",
				command_option_at(j)->what);
	(void)puts("complete -c mailban -n '__fish_seen_subcommand_from import "
		   "test replay' -F");
}

int
command_completion(const struct arguments *arguments)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (!strcmp(arguments->words[0], shells[i].shell)) {
			shells[i].print();
			return STATUS_DONE;
		}
	return complain(STATUS_USAGE, "completion: bash, zsh or fish");
}
