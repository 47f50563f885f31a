/*
 * options: the options that all lessons share, and the help that is made from
 * the same table.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#define OPTIONS_PROJECT "nslessons"
#define OPTIONS_VERSION "0.1.0"

/* What a lesson says of itself. */
struct lesson {
	const char *number;   /* "lesson01": the name of the program */
	const char *name;     /* "unshare-pid" */
	const char *question; /* one question, as in the syllabus */
	const char
		*operands; /* for the usage line: "[COMMAND [ARGUMENT...]]" */
	const char *tool;  /* what it does with operands, one sentence */
	int steps;	   /* of the demonstration */
	const struct option_entry *own; /* its own options, or NULL */
	bool mixed; /* options may stand behind operands: there is no command */
	bool verb;  /* options may stand behind the first operand, a verb */
};

/* One option. The table ends with an entry whose long name is NULL. */
struct option_entry {
	int letter;	      /* 's', or 0 when there is only a long name */
	const char *name;     /* "step" */
	const char *argument; /* "PID", or NULL when it takes none; "[=PID]":
				 may be left out, then the value is NULL */
	const char *help;
	bool *flag;	    /* set to true when given, or NULL */
	const char **value; /* set to the argument when given, or NULL */
};

/* What the reader has chosen. The only instance is `options`. */
struct options {
	bool step;
	bool hold;
	bool check;
	bool json;
	bool explain;
	bool color;
};

extern struct options options;

/*
 * Read the command line. Options stand before the operands; reading stops at
 * the first operand, so a command keeps its own options; see struct lesson for
 * other ways.
 * --help and --version print and end the process with 0; an option that is
 * not known, or --step and --hold without a terminal, end it with 2.
 * Returns the index of the first operand in argv.
 */
int options_parse(const struct lesson *lesson, int argc, char **argv);

/* All arguments of an option that was given more than once, in their order. The
 * array ends with NULL and is to be freed. Ends by die. */
const char **options_all(const char *name);

/* An option that belongs to one verb. A list of them ends with {NULL, NULL}. */
struct option_verb {
	const char *option, *verb;
};

/* Another verb with it is wrong usage: options_wrong. */
void options_only(const struct lesson *lesson, const char *verb,
	const struct option_verb *list);

/* A verb, how many operands follow it, and the words to be typed. A list of
 * them ends with an entry without a verb. */
struct option_usage {
	const char *verb;
	int least, most;
	const char *words; /* "run NAME" */
};

/* words: count operands, the verb first. Another verb, too few operands or too
 * many are wrong usage: options_wrong. */
void options_verb(const struct lesson *lesson,
	const struct option_usage *usages, char **words, int count);

/* A tool does not print checks: wrong usage if one of --step, --hold, --check
 * and --explain was given, and --json unless the tool has it. */
void options_tool(const struct lesson *lesson, bool json);

/* No verb was given, so the lesson's own options mean nothing: wrong usage if
 * there is one. */
void options_need_verb(const struct lesson *lesson);

/* Wrong usage: print a message and where to find help; exit code 2. */
void options_wrong(const struct lesson *lesson, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Read a PID from the command line; wrong usage when it is none. */
pid_t options_pid(const struct lesson *lesson, const char *text);

/* Print text on the terminal and wait for Enter. Neither standard input nor
 * standard output is touched. Ends by die. */
void options_wait_for_enter(const char *text);

#endif
