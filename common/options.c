#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "display.h"
#include "proc.h"

struct options options;

static bool help, version;
static const char *color = "auto";

static const struct option_entry shared[] = {
	{'s', "step", NULL, "wait for Enter after each step", &options.step,
		NULL},
	{0, "hold", NULL, "keep the namespaces alive until Enter",
		&options.hold, NULL},
	{0, "check", NULL, "print the checks alone, a line each",
		&options.check, NULL},
	{'J', "json", NULL, "print one JSON document on standard output",
		&options.json, NULL},
	{0, "explain", NULL, "add man pages, and a word on the why",
		&options.explain, NULL},
	{0, "color", "WHEN", "auto, always or never", NULL, &color},
	{'h', "help", NULL, "print this help", &help, NULL},
	{'V', "version", NULL, "print the version", &version, NULL},
	{0, NULL, NULL, NULL, NULL, NULL},
};

enum { MOST_OPTIONS = 32 };

/* The options as they were given, with their arguments. */
static struct given {
	const char *name, *value;
} * given;
static int given_count;

static void
print_entries(const struct option_entry *entry)
{
	for (; entry != NULL && entry->name != NULL; entry++) {
		char left[40];

		snprintf(left, sizeof(left), "%s%s%s", entry->name,
			entry->argument == NULL || entry->argument[0] == '['
				? ""
				: "=",
			entry->argument == NULL ? "" : entry->argument);
		if (entry->letter != 0)
			printf("  -%c, --%-18s %s\n", entry->letter, left,
				entry->help);
		else
			printf("      --%-18s %s\n", left, entry->help);
	}
}

static void
print_help(const struct lesson *lesson)
{
	printf("%s %s: %s\n\n", lesson->number, lesson->name, lesson->question);
	printf("Usage: %s [OPTION...] %s\n\n", lesson->number,
		lesson->operands);
	printf("Without operands%s: the demonstration, in %d steps.\n",
		lesson->own == NULL ? "" : " and without its own options",
		lesson->steps);
	printf("With them: %s.\n\n", lesson->tool);
	if (lesson->own != NULL) {
		print_entries(lesson->own);
		putchar('\n');
	}
	print_entries(shared);
	printf("\nExit: 0 all checks held, 1 a check or a call failed, 2 wrong"
	       " usage,\n77 this machine cannot run it; a command's own exit"
	       " code is passed on.\n");
}

void
options_wrong(const struct lesson *lesson, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) == -1)
		die("malloc");
	va_end(arguments);
	char *clean = display_clean(text);
	display_message(
		stderr, 2, "%s: %s", program_invocation_short_name, clean);
	display_message(stderr, 0, "Try `%s --help`.", lesson->number);
	_exit(DIE_USAGE);
}

/* Make the tables of getopt_long(3) from ours. An option's index in `entries`
 * is its return value, beyond the letters. */
static int
append(const struct option_entry *from, const struct option_entry **entries,
	struct option *longs, char *letters, int count)
{
	for (; from != NULL && from->name != NULL; from++, count++) {
		entries[count] = from;
		longs[count] = (struct option){from->name,
			from->argument == NULL	   ? no_argument
			: from->argument[0] == '[' ? optional_argument
						   : required_argument,
			NULL, 256 + count};
		if (from->letter != 0) {
			size_t end = strlen(letters);

			letters[end] = (char)from->letter;
			letters[end + 1] = from->argument == NULL ? '\0' : ':';
		}
	}
	return count;
}

static const struct option_entry *
find_entry(const struct option_entry **entries, int count, int found)
{
	if (found >= 256)
		return entries[found - 256];
	for (int i = 0; i < count; i++)
		if (entries[i]->letter != 0 && entries[i]->letter == found)
			return entries[i];
	return NULL;
}

static void
take(const struct option_entry *entry)
{
	given = reallocarray(given, given_count + 1, sizeof(*given));
	if (given == NULL)
		die("malloc");
	given[given_count++] = (struct given){entry->name, optarg};
	if (entry->flag != NULL)
		*entry->flag = true;
	if (entry->value != NULL)
		*entry->value = optarg;
}

const char **
options_all(const char *name)
{
	const char **all = calloc(given_count + 1, sizeof(*all));
	int count = 0;

	if (all == NULL)
		die("malloc");
	for (int i = 0; i < given_count; i++)
		if (strcmp(given[i].name, name) == 0)
			all[count++] = given[i].value;
	return all;
}

void
options_only(const struct lesson *lesson, const char *verb,
	const struct option_verb *list)
{
	for (; list->option != NULL; list++)
		for (int i = 0; i < given_count; i++)
			if (strcmp(given[i].name, list->option) == 0 &&
				strcmp(verb, list->verb) != 0)
				options_wrong(lesson,
					"--%s is for %s, not for %s",
					list->option, list->verb, verb);
}

/* "ps, state, kill" */
static char *
list_verbs(const struct option_usage *usages)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("malloc");
	for (const struct option_usage *u = usages; u->verb != NULL; u++)
		fprintf(out, "%s%s", u == usages ? "" : ", ", u->verb);
	if (fclose(out) == EOF)
		die("malloc");
	return text;
}

void
options_verb(const struct lesson *lesson, const struct option_usage *usages,
	char **words, int count)
{
	const struct option_usage *usage = usages;

	while (usage->verb != NULL && strcmp(usage->verb, words[0]) != 0)
		usage++;
	if (usage->verb == NULL)
		options_wrong(lesson, "`%s` is no verb, expected %s", words[0],
			list_verbs(usages));
	if (count - 1 < usage->least)
		options_wrong(lesson, "`%s` is not enough, expected %s",
			words[count - 1], usage->words);
	if (count - 1 > usage->most)
		options_wrong(lesson, "`%s` is too much, expected %s%s",
			words[usage->most + 1], usage->words,
			words[usage->most + 1][0] == '-'
				? ", options before NAME"
				: "");
}

void
options_tool(const struct lesson *lesson, bool json)
{
	const struct {
		bool given;
		const char *name;
	} shown[] = {{options.step, "step"}, {options.hold, "hold"},
		{options.check, "check"}, {options.explain, "explain"},
		{options.json && !json, "json"}};

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		if (shown[i].given)
			options_wrong(lesson,
				"--%s is for the demonstration alone",
				shown[i].name);
}

void
options_need_verb(const struct lesson *lesson)
{
	const struct option_entry *own = lesson->own;

	for (; own->name != NULL; own++)
		for (int i = 0; i < given_count; i++)
			if (strcmp(given[i].name, own->name) == 0)
				options_wrong(lesson, "--%s: with which verb?",
					own->name);
}

/* How many of the options begin like this word. */
static int
begin_like(const struct option *longs, const char *word)
{
	size_t length = strcspn(word, "=");
	int count = 0;

	for (; longs->name != NULL; longs++)
		count += strncmp(word, "--", 2) == 0 && length > 2 &&
			 strncmp(longs->name, word + 2, length - 2) == 0;
	return count;
}

/* known: the entry that it is about, or NULL. word: as it was typed; of letters
 * that stand together getopt tells one. */
static void
refuse_option(const struct lesson *lesson, int found,
	const struct option_entry *known, const struct option *longs,
	const char *word)
{
	if (known != NULL && found == ':')
		options_wrong(lesson, "--%s: expected an argument, --%s=%s",
			known->name, known->name, known->argument);
	if (known != NULL)
		options_wrong(lesson, "--%s takes no argument", known->name);
	if (isgraph(optopt))
		options_wrong(lesson, "-%c: no such option", optopt);
	if (begin_like(longs, word) > 1)
		options_wrong(lesson, "`%s`: several options begin so", word);
	options_wrong(lesson, "`%s`: no such option", word);
}

/* Read options up to the next operand, see getopt(3). */
static void
read_options(const struct lesson *lesson, int argc, char **argv)
{
	const struct option_entry *entries[MOST_OPTIONS];
	struct option longs[MOST_OPTIONS + 1] = {{0}};
	/* With + getopt_long leaves the options of a command alone; with : it
	 * tells a missing argument from an unknown option. */
	char letters[2 * MOST_OPTIONS + 3] = "+:";
	const char *shorts = lesson->mixed ? letters + 1 : letters;
	int count, found;

	count = append(lesson->own, entries, longs, letters, 0);
	count = append(shared, entries, longs, letters, count);
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_entry *entry =
			find_entry(entries, count, found);

		if (entry == NULL)
			refuse_option(lesson, found,
				find_entry(entries, count, optopt), longs,
				argv[optind - 1]);
		take(entry);
	}
}

static bool
want_color(const struct lesson *lesson)
{
	if (strcmp(color, "always") == 0)
		return true;
	if (strcmp(color, "never") == 0)
		return false;
	if (strcmp(color, "auto") != 0)
		options_wrong(lesson,
			"--color: found `%s`, expected auto, always or never",
			color);
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
	return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0') &&
	       terminal != NULL && strcmp(terminal, "dumb") != 0;
}

/* Without a terminal nobody can press Enter: say so now, do not hang later. */
static void
need_terminal(const struct lesson *lesson)
{
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (terminal == -1)
		options_wrong(lesson,
			"--step and --hold wait for Enter on a terminal, and"
			" there is none");
	close(terminal);
}

/* A closed standard stream would be the next file that we open. These give
 * EBADF, as a closed one does: 0 cannot be read, 1 and 2 cannot be written. */
static void
fill_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 &&
			open("/dev/null",
				fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == -1)
			_exit(DIE_FAILED);
}

int
options_parse(const struct lesson *lesson, int argc, char **argv)
{
	int verb;

	fill_standard_streams();
	opterr = 0;
	/* For the width of characters; without the locale, all is ASCII. */
	setlocale(LC_CTYPE, "");
	read_options(lesson, argc, argv);
	verb = optind++;
	if (lesson->verb && verb < argc)
		read_options(lesson, argc, argv);
	else
		optind = verb;
	if (help)
		print_help(lesson);
	if (version)
		printf("%s (%s) %s\n", lesson->number, OPTIONS_PROJECT,
			OPTIONS_VERSION);
	if ((help || version) && fflush(stdout) == EOF)
		die("write standard output");
	if (help || version)
		exit(0);
	options.color = want_color(lesson);
	if (options.step || options.hold)
		need_terminal(lesson);
	/* Our caller may have made us ignore it; then waitpid(2) would fail. */
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		die("signal SIGCHLD");
	/* The operands follow each other: the verb is put before the rest. */
	if (optind == verb)
		return verb;
	char *first = argv[verb];
	for (int i = verb; i < optind - 1; i++)
		argv[i] = argv[i + 1];
	argv[optind - 1] = first;
	return optind - 1;
}

pid_t
options_pid(const struct lesson *lesson, const char *text)
{
	pid_t pid;

	if (proc_parse_pid(text, &pid) == -1)
		options_wrong(lesson, "found `%s`, expected a PID", text);
	return pid;
}

void
options_wait_for_enter(const char *text)
{
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	char byte = 0;
	ssize_t n = 1;

	if (terminal == -1)
		die("open /dev/tty");
	if (write(terminal, text, strlen(text)) == -1)
		die("write /dev/tty");
	while (n == 1 && byte != '\n') {
		n = read(terminal, &byte, 1);
		if (n == -1 && errno == EINTR)
			n = 1;
	}
	if (n == -1)
		die("read /dev/tty");
	close(terminal);
}
