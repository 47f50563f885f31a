/*
 * lesson06 as a tool, and its modules: what it tells is compared with what the
 * processes say of themselves, and with forkstat. PIDs are used again and a
 * busy machine loses events: then a test watches once more, or is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "connector.h"
#include "die.h"
#include "display.h"
#include "event.h"
#include "ns.h"
#include "perf.h"
#include "proc.h"
#include "support.h"

enum { CONNECTOR = 1, PERF = 2, BOTH = 3 };

static const struct {
	char *option;
	int sources;
} choices[] = {
	{"--source=connector", CONNECTOR},
	{"--source=perf", PERF},
	{"--source=both", BOTH},
};

enum { CHOICES = sizeof(choices) / sizeof(choices[0]), PATIENCE = 30000 };

/* A new file. The caller closes and removes it, and frees its path. */
static int
make_file(char **path)
{
	const char *tmp = getenv("TMPDIR");

	*path = support_text("%s/watch-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	int fd = mkostemp(*path, O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	return fd;
}

/* --- the sources, opened by the tests themselves ------------------------- */

/* A request to the connector, or a message of it; cn_msg stands in parts,
 * because its last member has no size. */
struct message {
	struct nlmsghdr netlink;
	struct cb_id id;
	uint32_t sequence, answer;
	uint16_t length, flags;
	union {
		uint32_t operation;
		struct proc_event event;
	} body;
} __attribute__((packed));

/* buffer: its size in bytes, 0: as it is. Returns -1 when refused. */
static int
open_connector(int buffer)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	struct message request = {
		.netlink = {.nlmsg_type = NLMSG_DONE},
		.id = {CN_IDX_PROC, CN_VAL_PROC},
		.length = sizeof(request.body.operation),
		.body.operation = PROC_CN_MCAST_LISTEN,
	};
	size_t size = offsetof(struct message, body) + request.length;
	int fd = socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd == -1)
		return -1;
	if (buffer != 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer,
				   sizeof(buffer)) == -1)
		die("setsockopt");
	request.netlink.nlmsg_len = (uint32_t)size;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send(fd, &request, size, 0) != -1)
		return fd;
	close(fd);
	return -1;
}

/* Of all processes, or of the calling one and those it will make. Returns -1
 * when refused. */
static int
open_perf(bool all, int processor)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.task = 1,
		.comm = 1,
		.comm_exec = 1,
		.inherit = !all,
		.exclude_kernel = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.read_format = 16, /* PERF_FORMAT_LOST, Linux 6.0 */
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, all ? -1 : 0,
		processor, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd != -1 || errno != EINVAL)
		return fd;
	attr.read_format = 0;
	return (int)syscall(SYS_perf_event_open, &attr, all ? -1 : 0, processor,
		-1, PERF_FLAG_FD_CLOEXEC);
}

/* A child that ends at once. It is used outside of tests, too. */
static pid_t
short_life(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid == -1 || child_wait(pid) != 0)
		die("fork");
	return pid;
}

/* Does it tell the end of a child? It is read without the module. */
static bool
connector_tells(void)
{
	struct message message;
	int fd = open_connector(0);
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	bool told = false;

	if (fd == -1)
		return false;
	pid_t pid = short_life();
	while (!told && poll(&ready, 1, 2000) == 1)
		told = recv(fd, &message, sizeof(message), 0) ==
			       sizeof(message) &&
		       message.body.event.what == PROC_EVENT_EXIT &&
		       message.body.event.event_data.exit.process_tgid == pid;
	close(fd);
	return told;
}

static bool
perf_opens(bool all)
{
	int fd = open_perf(all, sched_getcpu());

	if (fd != -1)
		close(fd);
	return fd != -1;
}

/* As support_have, which knows nothing of sources. all: of all processes. */
static bool
have_sources(int sources, bool all, const char *test)
{
	const char *require = getenv("REQUIRE");
	const char *missing =
		(sources & CONNECTOR) != 0 && !connector_tells() ? "connector"
		: (sources & PERF) != 0 && !perf_opens(all)	 ? "perf"
								 : NULL;

	if (missing == NULL)
		return true;
	printf("SKIP %s: needs the source %s\n", test, missing);
	ck_assert_msg(require == NULL || strstr(require, missing) == NULL,
		"REQUIRE names %s, and it is missing", missing);
	return false;
}

/* --- what lesson06 has told ---------------------------------------------- */

/* One JSON array of all lines; the last one must count them. */
static json_t *
parse_lines(const char *text)
{
	json_t *lines = json_array(), *line;
	char *copy = strdup(text), *rest = copy, *word;
	json_error_t error;

	while ((word = strsep(&rest, "\n")) != NULL && word[0] != '\0') {
		line = json_loads(word, JSON_REJECT_DUPLICATES, &error);
		ck_assert_msg(line != NULL, "%s: %s", error.text, word);
		ck_assert_int_eq(json_array_append_new(lines, line), 0);
	}
	/* Nothing stands behind the last line's end. */
	ck_assert(word != NULL && rest == NULL);
	free(copy);
	size_t count = json_array_size(lines);
	ck_assert_uint_gt(count, 0);
	line = json_array_get(lines, count - 1);
	ck_assert_int_eq(json_integer_value(json_object_get(line, "events")),
		(json_int_t)count - 1);
	return lines;
}

static json_int_t
lost(const json_t *lines)
{
	const json_t *end = json_array_get(lines, json_array_size(lines) - 1);

	ck_assert(json_is_integer(json_object_get(end, "lost")));
	return json_integer_value(json_object_get(end, "lost"));
}

/*
 * Run `lesson06 --json ...` until no event was lost. What the command has to
 * say is in run->err, because standard output is the JSON alone.
 * Returns the lines, or NULL when each time some were lost: it is said.
 */
static json_t *
watch(char *const argv[], int code, struct run *run, const char *test)
{
	enum { TRIES = 5 };

	for (int i = 0; i < TRIES; i++) {
		*run = support_run(argv);
		ck_run(*run, code);
		json_t *lines = parse_lines(run->out);
		if (lost(lines) == 0)
			return lines;
		json_decref(lines);
		support_run_free(run);
	}
	printf("SKIP %s: events were lost: a busy machine\n", test);
	return NULL;
}

#define WATCH(code, run, ...)                                             \
	watch((char *const[]){"./lesson06", "--json", __VA_ARGS__, NULL}, \
		code, run, __func__)

/* How many events of this kind (NULL: any), of this PID (0: any), have `value`
 * at `key` (NULL: any). */
static int
count(json_t *lines, const char *event, long pid, const char *key,
	json_int_t value)
{
	int found = 0;
	json_t *line;
	size_t i;

	json_array_foreach(lines, i, line) {
		const char *name =
			json_string_value(json_object_get(line, "event"));
		json_t *told = key == NULL ? NULL : json_object_get(line, key);

		if (name == NULL || (event != NULL && strcmp(name, event) != 0))
			continue;
		found += (pid == 0 || json_integer_value(json_object_get(
					      line, "pid")) == pid) &&
			 (key == NULL ||
				 (json_is_integer(told) &&
					 json_integer_value(told) == value));
	}
	return found;
}

/* The number in a line such as "child 1234". */
static long
fact(const char *text, const char *name)
{
	size_t length = strlen(name);
	const char *line = text;

	while (line != NULL &&
		(strncmp(line, name, length) != 0 || line[length] != ' ')) {
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	if (line == NULL)
		ck_abort_msg("no `%s` in: %s", name, text);
	return strtol(line + length, NULL, 10);
}

/* How many lines match. */
__attribute__((format(printf, 2, 3))) static int
matches(const char *text, const char *shape, ...)
{
	va_list list;
	regmatch_t match;
	char *pattern;
	regex_t regex;
	int found = 0;

	va_start(list, shape);
	ck_assert_int_ne(vasprintf(&pattern, shape, list), -1);
	va_end(list);
	ck_assert_int_eq(
		regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE), 0);
	for (; regexec(&regex, text, 1, &match, 0) == 0; found++) {
		text = strchr(text + match.rm_eo, '\n');
		if (text++ == NULL)
			break;
	}
	regfree(&regex);
	free(pattern);
	return found;
}

/* --- a tool that watches the whole machine ------------------------------- */

struct watcher {
	pid_t pid;
	int out;
	char *text;
	size_t length;
};

/* Returns false at the end of its output. */
static bool
read_more(struct watcher *watcher)
{
	enum { SIZE = 1 << 16 };
	struct pollfd ready = {.fd = watcher->out, .events = POLLIN};

	watcher->text = realloc(watcher->text, watcher->length + SIZE + 1);
	ck_assert_ptr_nonnull(watcher->text);
	ck_assert_msg(poll(&ready, 1, PATIENCE) == 1, "no output for %d ms",
		PATIENCE);
	ssize_t n = read(watcher->out, watcher->text + watcher->length, SIZE);
	ck_assert_int_ge(n, 0);
	watcher->length += n;
	watcher->text[watcher->length] = '\0';
	return n > 0;
}

static void
watcher_expect(struct watcher *watcher, const char *text)
{
	size_t from = 0;

	do {
		ck_assert_msg(read_more(watcher), "no `%s`", text);
		if (strstr(watcher->text + from, text) != NULL)
			return;
		from = watcher->length < strlen(text)
			       ? 0
			       : watcher->length - strlen(text);
	} while (true);
}

/* Its head line says that it listens. */
static struct watcher
watcher_start(char *const argv[])
{
	struct watcher watcher = {.out = -1};
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	/* Larger, so that it need not wait for us; as large as it may be. */
	fcntl(fd[1], F_SETPIPE_SZ, 1 << 20);
	watcher.pid = fork();
	ck_assert_int_ne(watcher.pid, -1);
	if (watcher.pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
			dup2(fd[1], 1) == -1)
			die("dup2");
		child_exec((char **)argv);
	}
	close(fd[1]);
	watcher.out = fd[0];
	watcher_expect(&watcher, "Time");
	return watcher;
}

/* Ctrl-C's signal. The caller frees the text. */
static void
watcher_end(struct watcher *watcher)
{
	ck_assert_int_eq(kill(watcher->pid, SIGINT), 0);
	while (read_more(watcher))
		continue;
	ck_assert_int_eq(child_wait(watcher->pid), 0);
	close(watcher->out);
}

/* Did lesson06 lose events? It is said. */
static bool
has_lost(const struct watcher *watcher, const char *test)
{
	ck_assert_int_eq(
		matches(watcher->text, "^[0-9]+ events?, [0-9]+ lost$"), 1);
	if (matches(watcher->text, " events, 0 lost$") == 1)
		return false;
	printf("SKIP %s: events were lost: a busy machine\n", test);
	return true;
}

/* --- the modules ---------------------------------------------------------- */

static char *
quote(const char *arguments, size_t length)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	display_quote(out, arguments, length);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

START_TEST(arguments_are_quoted)
{
#define CASE(arguments, quoted)                      \
	{                                            \
		arguments, sizeof(arguments), quoted \
	}
	static const struct {
		const char *arguments;
		size_t length;
		const char *quoted;
	} cases[] = {
		CASE("ls\0-l\0/tmp", "ls -l /tmp"),
		CASE("a b", "'a b'"),
		CASE("", "''"),
		CASE("echo\0\0x", "echo '' x"),
		CASE("it's", "$'it\\'s'"),
		CASE("say \"x\"", "'say \"x\"'"),
		CASE("a\\b", "'a\\b'"),
		CASE("'\\", "$'\\'\\\\'"),
		CASE("\033[31m", "$'\\x1b[31m'"),
		CASE("a\nb\rc\t", "$'a\\x0ab\\x0dc\\x09'"),
		CASE("\177", "$'\\x7f'"),
		CASE("\xff-\xc3", "$'\\xff-\\xc3'"),
		/* Overlong, a surrogate, beyond the last, C1. */
		CASE("\xc0\xaf", "$'\\xc0\\xaf'"),
		CASE("\xed\xa0\x80", "$'\\xed\\xa0\\x80'"),
		CASE("\xf4\x90\x80\x80", "$'\\xf4\\x90\\x80\\x80'"),
		CASE("\xc2\x9b", "$'\\xc2\\x9b'"),
		CASE("\xe5\xae\xb9\xe5\x99\xa8", "'\xe5\xae\xb9\xe5\x99\xa8'"),
		CASE("$(id)", "'$(id)'"),
		CASE("a)b", "'a)b'"),
	};
#undef CASE

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = quote(cases[i].arguments, cases[i].length);

		ck_assert_str_eq(text, cases[i].quoted);
		free(text);
	}
}
END_TEST

/* Every byte alone, and before each byte that means something. */
START_TEST(bash_reads_what_was_quoted)
{
	static const char special[] = "\\'\"$` !~#*?[]{}();&|<>\n\x1b\xff\xc2"
				      "a0";
	char *arguments, *quoted, *command;
	size_t length;
	FILE *out = open_memstream(&arguments, &length);

	ck_assert_ptr_nonnull(out);
	for (int byte = 1; byte < 256; byte++) {
		fprintf(out, "%c%c", byte, 0);
		for (size_t i = 0; i < sizeof(special) - 1; i++)
			fprintf(out, "%c%c%c", byte, special[i], 0);
	}
	fputc(0, out);
	ck_assert_int_eq(fclose(out), 0);
	quoted = quote(arguments, length);
	command = support_text("printf '%%s\\0' %s", quoted);
	/* One argument holds 128 KB at most, so it comes from a file. */
	char *path;
	int fd = make_file(&path), result = memfd_create("back", MFD_CLOEXEC);
	ck_assert_int_eq(
		write(fd, command, strlen(command)), (ssize_t)strlen(command));
	close(fd);
	char *to = support_text("/proc/%d/fd/%d", getpid(), result);
	struct run run =
		support_run_to(to, (char *const[]){"bash", path, NULL});
	ck_assert_int_eq(unlink(path), 0);
	ck_run(run, 0);
	char *back = calloc(1, length + 2);
	ck_assert_int_eq(pread(result, back, length + 1, 0), (ssize_t)length);
	ck_assert_mem_eq(back, arguments, length);
	support_run_free(&run);
	free(back);
	free(path);
	free(to);
	free(command);
	free(quoted);
	free(arguments);
	close(result);
}
END_TEST

START_TEST(lists_of_events_are_read)
{
	static const char *const wrong[][2] = {{"exec,foo,bar", "foo"},
		{"", ""}, {"exec,", ""}, {"Exec", "Exec"},
		{"exec fork", "exec fork"}};
	char *word;

	ck_assert_int_eq(event_parse("exec", &word), EVENT_EXEC);
	ck_assert_int_eq(
		event_parse("fork,exit,fork", &word), EVENT_FORK | EVENT_EXIT);
	ck_assert_int_eq(event_parse("comm,ns,uid,gid,sid,ptrace,core", &word),
		EVENT_COMM | EVENT_NAMESPACES | EVENT_UID | EVENT_GID |
			EVENT_SID | EVENT_PTRACE | EVENT_CORE);
	ck_assert_int_eq(event_parse("ptrce,nonzeroexit", &word),
		event_parse("ptrace,nonzero", &word));
	ck_assert_int_eq(event_parse("all", &word),
		event_parse("exec,fork,exit,comm,ns,uid,gid,sid,ptrace,core",
			&word));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_int_eq(event_parse(wrong[i][0], &word), 0);
		ck_assert_str_eq(word, wrong[i][1]);
		free(word);
	}
}
END_TEST

static int
ended_by(int code, int number)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		/* libcheck has a handler for SIGTERM. */
		if (number != 0 && number != SIGKILL)
			signal(number, SIG_DFL);
		if (number != 0)
			raise(number);
		_exit(code);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(ends_are_told_in_words)
{
	static const struct {
		int code, number;
		const char *words;
	} cases[] = {{0, 0, "exit 0"}, {1, 0, "exit 1"}, {255, 0, "exit 255"},
		{0, SIGKILL, "killed by SIGKILL"},
		{0, SIGTERM, "killed by SIGTERM"},
		/* The bit of a core dump is no part of the signal. */
		{0, SIGSEGV, "killed by SIGSEGV"}};
	char text[32], *expected;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = ended_by(cases[i].code, cases[i].number);

		event_status(text, sizeof(text), status);
		ck_assert_str_eq(text, cases[i].words);
		event_status(text, sizeof(text),
			cases[i].number == 0 ? status : status | 0x80);
		ck_assert_str_eq(text, cases[i].words);
	}
	expected = support_text("killed by signal %d", SIGRTMIN);
	event_status(text, sizeof(text), SIGRTMIN);
	ck_assert_str_eq(text, expected);
	event_status(text, sizeof(text), EVENT_UNKNOWN);
	ck_assert_str_eq(text, "exit ?");
	free(expected);
}
END_TEST

/* --- what the sources bring ----------------------------------------------- */

/* What a source has brought. */
struct taken {
	pid_t wanted; /* count these events alone; 0: all */
	int count;
	struct event last;
};

static void
take(void *data, const struct event *event)
{
	struct taken *taken = data;

	if (taken->wanted != 0 && event->pid != taken->wanted)
		return;
	taken->count++;
	taken->last = *event;
}

/* The ring of a processor tells of what runs there. */
static int
stay_here(void)
{
	int processor = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	return sched_getcpu();
}

START_TEST(perf_counts_what_it_loses)
{
	enum { LIVES = 500, EVENTS = 2 * LIVES, LARGE = 128 << 10 };
	struct taken few = {0}, all = {0};
	struct perf_ring small, large;

	if (!have_sources(PERF, false, "perf_counts_what_it_loses"))
		return;
	int processor = stay_here();
	ck_assert_int_eq(perf_map(&small, open_perf(false, processor),
				 (size_t)sysconf(_SC_PAGESIZE)),
		0);
	ck_assert_int_eq(
		perf_map(&large, open_perf(false, processor), LARGE), 0);
	ck_assert_uint_eq(large.size, LARGE);
	for (int i = 0; i < LIVES; i++)
		short_life();
	perf_read(&small, take, &few);
	perf_read(&large, take, &all);
	ck_assert_int_gt(few.count, 0);
	ck_assert_int_eq(all.count, EVENTS);
	/* Before Linux 6.0, only a later record tells it. */
	short_life();
	perf_read(&small, take, &few);
	perf_read(&large, take, &all);
	ck_assert_int_eq(perf_lost(&large), 0);
	ck_assert_int_gt(perf_lost(&small), 0);
	ck_assert_int_eq(few.count + perf_lost(&small), all.count);
	ck_assert_int_eq(perf_lost(&small), small.lost);
	perf_free(&small);
	perf_free(&large);
}
END_TEST

static void
take_pair(void *data, const struct event *event)
{
	struct taken *taken = data;

	ck_assert_int_eq(event->pid, taken->wanted);
	ck_assert_int_eq(
		event->type, taken->count % 2 == 0 ? EVENT_FORK : EVENT_EXIT);
	ck_assert_int_eq(event->other, getpid());
	ck_assert_uint_gt(event->time, taken->last.time);
	taken->count++;
	taken->last = *event;
}

/* A page holds no whole number of them, so some lie across its end. */
START_TEST(perf_records_go_round)
{
	enum { LIVES = 2000, EVENTS = 2 * LIVES };
	struct taken taken = {0};
	struct perf_ring ring;

	if (!have_sources(PERF, false, "perf_records_go_round"))
		return;
	ck_assert_int_eq(perf_map(&ring, open_perf(false, stay_here()),
				 (size_t)sysconf(_SC_PAGESIZE)),
		0);
	for (int i = 0; i < LIVES; i++) {
		taken.wanted = short_life();
		ck_assert_int_eq(perf_read(&ring, take_pair, &taken), 2);
	}
	ck_assert_int_eq(taken.count, EVENTS);
	ck_assert_int_eq(perf_lost(&ring), 0);
	perf_free(&ring);
}
END_TEST

/* Forks alone: the connector tells an exit a moment after wait(2) does. */
static void
take_own_fork(void *data, const struct event *event)
{
	int *found = data;

	*found += event->type == EVENT_FORK && event->other == getpid();
}

/* Others' events take their part of the buffer, and may be lost, too. */
START_TEST(connector_counts_what_it_loses)
{
	enum { LIVES = 300 };
	int found = 0;

	if (!have_sources(CONNECTOR, true, "connector_counts_what_it_loses"))
		return;
	int fd = open_connector(1), result;
	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < LIVES; i++)
		short_life();
	long dropped = connector_lost(fd);
	ck_assert_int_eq(connector_read(fd, take_own_fork, &found), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	do
		result = connector_read(fd, take_own_fork, &found);
	while (result == -1 && errno == ENOBUFS);
	ck_assert_int_ge(result, 0);
	ck_assert_int_lt(found, LIVES);
	ck_assert_int_ge(connector_lost(fd), dropped);
	ck_assert_int_ge(connector_lost(fd), LIVES - found);
	close(fd);
	/* And with room for all: nothing is missing, and none is counted. */
	fd = open_connector(1 << 20);
	found = 0;
	short_life();
	result = connector_read(fd, take_own_fork, &found);
	if (connector_lost(fd) == 0) {
		ck_assert_int_ge(result, 1);
		ck_assert_int_eq(found, 1);
	}
	close(fd);
}
END_TEST

/* No process has this PID. */
enum { NOBODY = PROC_PID_LIMIT + 1 };

static void
forge(int from, int to, size_t missing)
{
	struct sockaddr_nl address;
	socklen_t size = sizeof(address);
	struct message message = {
		.netlink = {.nlmsg_type = NLMSG_DONE,
			.nlmsg_len = sizeof(message)},
		.id = {CN_IDX_PROC, CN_VAL_PROC},
		.length = sizeof(message.body.event),
		.body.event = {.what = PROC_EVENT_EXIT},
	};

	message.body.event.event_data.exit.process_pid = NOBODY;
	message.body.event.event_data.exit.process_tgid = NOBODY;
	ck_assert_int_eq(
		getsockname(to, (struct sockaddr *)&address, &size), 0);
	address.nl_groups = 0;
	ck_assert_int_eq(sendto(from, &message, sizeof(message) - missing, 0,
				 (struct sockaddr *)&address, size),
		(ssize_t)(sizeof(message) - missing));
}

/* A process of root may send to any netlink socket. */
START_TEST(only_the_kernel_is_believed)
{
	struct taken forged = {.wanted = NOBODY};

	if (!have_sources(CONNECTOR, true, "only_the_kernel_is_believed"))
		return;
	int fd = open_connector(1 << 20), result;
	int liar = socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(liar, 0);
	forge(liar, fd, 0);
	forge(liar, fd, 8);
	forge(liar, fd, sizeof(struct proc_event));
	do
		result = connector_read(fd, take, &forged);
	while (result == -1 && errno == ENOBUFS);
	/* They have come, */
	ck_assert(result >= 3 || connector_lost(fd) > 0);
	/* and were dropped. */
	ck_assert_int_eq(forged.count, 0);
	close(liar);
	close(fd);
}
END_TEST

/* Make a child that makes one of its parent's. */
static pid_t
clone_for_parent(pid_t *caller)
{
	pid_t pid;
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	*caller = fork();
	ck_assert_int_ne(*caller, -1);
	if (*caller == 0) {
		pid = (pid_t)syscall(
			SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
		if (pid > 0 && write(fd[1], &pid, sizeof(pid)) == -1)
			_exit(1);
		_exit(pid == -1);
	}
	ck_assert_int_eq(read(fd[0], &pid, sizeof(pid)), sizeof(pid));
	close(fd[0]);
	close(fd[1]);
	ck_assert_int_eq(child_wait(*caller), 0);
	/* It is ours, as clone(2) says. */
	ck_assert_int_eq(child_wait(pid), 0);
	return pid;
}

static void
take_fork(void *data, const struct event *event)
{
	if (event->type == EVENT_FORK)
		take(data, event);
}

START_TEST(clone_parent_has_two_answers)
{
	struct perf_ring ring;
	pid_t caller;

	if (!have_sources(BOTH, false, "clone_parent_has_two_answers"))
		return;
	int fd = open_connector(1 << 20), result;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(perf_map(&ring, open_perf(false, stay_here()),
				 (size_t)sysconf(_SC_PAGESIZE)),
		0);
	struct taken perf = {.wanted = clone_for_parent(&caller)};
	struct taken connector = {.wanted = perf.wanted};
	perf_read(&ring, take_fork, &perf);
	do
		result = connector_read(fd, take_fork, &connector);
	while (result == -1 && errno == ENOBUFS);
	ck_assert_int_eq(perf.count, 1);
	ck_assert_int_eq(perf.last.other, caller);
	if (connector_lost(fd) == 0) {
		ck_assert_int_ge(connector.count, 1);
		ck_assert_int_eq(connector.last.other, getpid());
	}
	perf_free(&ring);
	close(fd);
}
END_TEST

/* --- a command and its descendants ---------------------------------------- */

/* A `:` at the end keeps a shell from replacing itself by its last command. */
START_TEST(events_are_what_the_workload_says)
{
	struct run run;

	if (!have_sources(choices[_i].sources, false, __func__))
		return;
	json_t *lines = WATCH(3, &run, choices[_i].option, "--", "sh", "-c",
		"exec >&2; echo top $$; echo parent $PPID\n"
		"sh -c 'echo child $$; exit 5'\n"
		"sh -c 'echo killed $$; kill -KILL $$; :'\n"
		"(exit 7) & echo sub $!; wait\n"
		"exec sh -c 'echo again $$; exit 3'");
	if (lines == NULL)
		return;
	long top = fact(run.err, "top"), child = fact(run.err, "child");
	long killed = fact(run.err, "killed"), sub = fact(run.err, "sub");

	ck_assert_int_eq(fact(run.err, "again"), top);
	ck_assert_int_eq(
		count(lines, "fork", top, "parent", fact(run.err, "parent")),
		1);
	ck_assert_int_eq(count(lines, "fork", child, "parent", top), 1);
	ck_assert_int_eq(count(lines, "fork", killed, "parent", top), 1);
	ck_assert_int_eq(count(lines, "fork", sub, "parent", top), 1);
	ck_assert_int_eq(count(lines, "fork", 0, NULL, 0), 4);
	ck_assert_int_eq(count(lines, "exec", top, NULL, 0), 2);
	ck_assert_int_eq(count(lines, "exec", child, NULL, 0), 1);
	ck_assert_int_eq(count(lines, "exec", killed, NULL, 0), 1);
	ck_assert_int_eq(count(lines, "exec", 0, NULL, 0), 4);
	ck_assert_int_eq(count(lines, "exit", 0, NULL, 0), 4);
	ck_assert_int_eq(count(lines, NULL, 0, NULL, 0), 12);
	/* perf does not know how a process has ended. */
	bool told = (choices[_i].sources & CONNECTOR) != 0;
	ck_assert_int_eq(count(lines, "exit", top, "exit_code", 3), told);
	ck_assert_int_eq(count(lines, "exit", child, "exit_code", 5), told);
	ck_assert_int_eq(count(lines, "exit", sub, "exit_code", 7), told);
	ck_assert_int_eq(count(lines, "exit", killed, "signal", SIGKILL), told);
	ck_assert_int_eq(count(lines, "exit", killed, "exit_code", 9), 0);
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

/* A program may have executed another one when its arguments are read: then they
 * are not told. But while little happens, they mostly are. */
START_TEST(arguments_are_those_of_the_program)
{
	enum { TRIES = 20 };
	int told = 0;

	if (!have_sources(choices[_i].sources, false, __func__))
		return;
	for (int i = 0; i < TRIES; i++) {
		struct run run;
		size_t k;
		json_t *line,
			*lines = WATCH(0, &run, choices[_i].option, "-e",
				"exec", "--", "env", "A=1", "sleep", "0.01");

		if (lines == NULL)
			return;
		json_array_foreach(lines, k, line) {
			const char *name = json_string_value(
				json_object_get(line, "name"));
			const char *process = json_string_value(
				json_object_get(line, "process"));

			if (name == NULL)
				continue;
			bool whole =
				strcmp(process, "env A=1 sleep 0.01") == 0 ||
				strcmp(process, "sleep 0.01") == 0;
			told += whole;
			ck_assert_msg(process[0] == '[' ||
					      (whole && process[0] == name[0]),
				"%s: %s", name, process);
		}
		json_decref(lines);
		support_run_free(&run);
	}
	ck_assert_int_gt(told, 0);
}
END_TEST

/* A04: a container's start is the exec of a runtime and that of its PID 1; a
 * command in it is one more. Each is by a child of the one before. */
START_TEST(a_container_is_a_row_of_execs)
{
	struct run run;
	json_int_t parent = 0;

	if (!have_sources(choices[_i].sources, false, __func__))
		return;
	json_t *lines = WATCH(0, &run, choices[_i].option, "-e", "exec", "--",
		"./lesson02", "bundle", "sh", "-c",
		"exec >&2; echo init $$; /bin/true; :");
	if (lines == NULL)
		return;
	ck_assert_int_eq(fact(run.err, "init"), 1);
	ck_assert_int_eq(count(lines, "exec", 0, NULL, 0), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *line = json_array_get(lines, i);

		if (i > 0)
			ck_assert_int_eq(json_integer_value(json_object_get(
						 line, "parent")),
				parent);
		parent = json_integer_value(json_object_get(line, "pid"));
	}
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

/* A process ends with its last thread, whichever that is. */
START_TEST(threads_are_no_processes)
{
	struct run run;

	if (!have_sources(choices[_i].sources, false, __func__))
		return;
	json_t *lines = WATCH(0, &run, choices[_i].option, "--",
		"build/tests/bench/threads", "exec", "build/tests/bench/tiny");
	if (lines == NULL)
		return;
	ck_assert_int_eq(count(lines, "fork", 0, NULL, 0), 1);
	ck_assert_int_eq(count(lines, "exec", 0, NULL, 0), 2);
	ck_assert_int_eq(count(lines, "exit", 0, NULL, 0), 1);
	json_decref(lines);
	support_run_free(&run);
	lines = WATCH(3, &run, choices[_i].option, "--",
		"build/tests/bench/threads", "exit");
	if (lines == NULL)
		return;
	bool told = (choices[_i].sources & CONNECTOR) != 0;
	ck_assert_int_eq(count(lines, "exit", 0, NULL, 0), 1);
	ck_assert_int_eq(count(lines, "exit", 0, "exit_code", 3), told);
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

/* The time of the event itself: each is in its order, and the last one's
 * duration is that between the two. */
START_TEST(times_are_those_of_the_events)
{
	struct run run;
	double born = 0, before = 0;
	json_t *line;
	size_t i;

	if (!have_sources(choices[_i].sources, false, __func__))
		return;
	json_t *lines = WATCH(0, &run, choices[_i].option, "--", "sh", "-c",
		"for i in 1 2 3 4 5 6 7 8; do sh -c :; done");
	if (lines == NULL)
		return;
	json_array_foreach(lines, i, line) {
		const char *event =
			json_string_value(json_object_get(line, "event"));
		double time = json_number_value(json_object_get(line, "time"));

		if (event == NULL)
			continue;
		ck_assert_double_ge(time, before);
		before = time;
		if (i == 0)
			born = time;
		ck_assert_int_eq(json_object_get(line, "duration") != NULL,
			strcmp(event, "exit") == 0);
		if (strcmp(event, "exit") == 0 &&
			json_number_value(json_object_get(line, "depth")) == 0)
			ck_assert_double_eq_tol(
				json_number_value(
					json_object_get(line, "duration")),
				time - born, 1e-5);
	}
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

static void
expect_error(struct run run, int code, const char *text)
{
	ck_run(run, code);
	ck_assert_msg(
		strstr(run.err, text) != NULL, "no `%s` in: %s", text, run.err);
	support_run_free(&run);
}

START_TEST(codes_are_those_of_a_shell)
{
	expect_error(RUN("./lesson06", "--", "/no/such/program"), 127,
		"/no/such/program: ENOENT");
	expect_error(RUN("./lesson06", "--", "/etc/passwd"), 126, "EACCES");
	expect_error(RUN("./lesson06", "sh", "-c", "kill -KILL $$"), 137, "");
	expect_error(RUN("./lesson06", "false"), 1, "");
}
END_TEST

START_TEST(sigterm_ends_the_command)
{
	struct session session = support_start((char *const[]){"./lesson06",
		"--", "sh", "-c", "echo ready; exec sleep 1000", NULL});

	support_expect(&session, "ready\r");
	ck_assert_int_eq(kill(session.pid, SIGTERM), 0);
	struct run run = support_finish(&session);
	/* The guard has looked for what is left. */
	ck_run(run, 143);
	ck_assert_int_eq(matches(run.out, " events, [0-9]+ lost"), 1);
	support_run_free(&run);
	session = support_start((char *const[]){"./lesson06", "--", "sh", "-c",
		"trap 'echo caught; exit 9' TERM; echo ready; read x", NULL});
	support_expect(&session, "ready\r");
	ck_assert_int_eq(kill(session.pid, SIGTERM), 0);
	run = support_finish(&session);
	ck_run(run, 9);
	ck_assert_ptr_nonnull(strstr(run.out, "caught"));
	support_run_free(&run);
}
END_TEST

/* `core` is rare, so nothing else is shown meanwhile. */
START_TEST(ctrl_c_ends_it_with_the_summary)
{
	struct session session = support_start(
		(char *const[]){"./lesson06", "-e", "core", NULL});

	support_expect(&session, "Time");
	support_type(&session, "\003");
	struct run run = support_finish(&session);
	ck_run(run, 0);
	ck_assert_int_eq(
		matches(run.out, "^(\\^C)?[0-9]+ events?, [0-9]+ lost\r$"), 1);
	support_run_free(&run);
}
END_TEST

START_TEST(ctrl_c_reaches_the_command_once)
{
	static char script[] =
		"trap 'echo caught' INT; echo ready; read x; read x;"
		" echo got-$x; exit 4";
	struct session session = support_start(
		(char *const[]){"./lesson06", "--", "sh", "-c", script, NULL});

	support_expect(&session, "ready\r");
	support_type(&session, "\003");
	support_expect(&session, "caught\r");
	support_type(&session, "one\ntwo\n");
	struct run run = support_finish(&session);
	ck_run(run, 4);
	ck_assert_int_eq(matches(run.out, "^(\\^C)?caught\r$"), 1);
	ck_assert_int_eq(matches(run.out, "^got-(one|two)\r$"), 1);
	support_run_free(&run);
}
END_TEST

/* Its input and output are the reader's own; -o takes the events away. */
START_TEST(streams_are_the_readers)
{
	char *path;
	int fd = make_file(&path);
	char *command = support_text(
		"echo hello | ./lesson06 -o %s -- cat; echo $?", path);
	struct run run = RUN("sh", "-c", command);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "hello\n0\n");
	support_run_free(&run);
	run = RUN("cat", path);
	ck_assert_ptr_eq(strstr(run.out, "Time "), run.out);
	ck_assert_int_eq(matches(run.out, "^[0-9:.]+ exec +[0-9]+ "), 1);
	ck_assert_int_eq(matches(run.out, "^[0-9]+ events?, [0-9]+ lost$"), 1);
	support_run_free(&run);
	ck_assert_int_eq(unlink(path), 0);
	close(fd);
	free(command);
	free(path);
	expect_error(RUN("./lesson06", "-o", "/no/such/file", "--", "true"), 1,
		"/no/such/file: ENOENT");
	/* What is not written is not silently dropped. */
	expect_error(RUN("./lesson06", "-o", "/dev/full", "true"), 1, "ENOSPC");
}
END_TEST

/* --- each event, with a real cause ---------------------------------------- */

static const struct cause {
	const char *list, *event, *need;
	int sources; /* that tell it */
	bool all;    /* only to who may watch all processes */
	const char *script;
	const char *key;
	int value;	  /* at that key; -1: the fact of that name */
	const char *fact; /* what else the script has written */
} causes[] = {
	{"fork", "fork", "true", BOTH, false,
		"echo parent $$; (exit 3) & echo pid $!; wait", "parent", -1,
		"parent"},
	{"exec", "exec", "true", BOTH, false,
		"echo parent $$; sh -c 'echo pid $$; exit 3'; :", "parent", -1,
		"parent"},
	{"exit", "exit", "true", CONNECTOR, false, "echo pid $$; exit 0",
		"exit_code", 0, NULL},
	{"comm", "comm", "true", BOTH, false,
		"echo pid $$; printf nslessons >/proc/self/comm", NULL, 0,
		NULL},
	{"ns", "ns", "unshare", PERF, true, "echo pid $$; exec unshare -p true",
		NULL, 0, NULL},
	{"uid", "uid", "setpriv", CONNECTOR, true,
		"echo pid $$; exec setpriv --regid=8 --clear-groups"
		" --reuid=4000000000 true",
		"real", -2, NULL},
	{"gid", "gid", "setpriv", CONNECTOR, true,
		"echo pid $$; exec setpriv --regid=8 --clear-groups"
		" --reuid=7 true",
		"effective", 8, NULL},
	{"sid", "sid", "setsid", CONNECTOR, false,
		"sh -c 'echo pid $$; exec setsid true'; :", NULL, 0, NULL},
	{"ptrace", "ptrace", "strace", CONNECTOR, false,
		"echo tracer $$\n"
		"exec strace -o /dev/null sh -c 'echo pid $$'",
		"tracer", -1, "tracer"},
	{"ptrce", "ptrace", "strace", CONNECTOR, false,
		"echo tracer $$\n"
		"exec strace -o /dev/null sh -c 'echo pid $$'",
		"tracer", -1, "tracer"},
	{"core", "core", "true", CONNECTOR, false,
		"ulimit -c 0; sh -c 'echo pid $$; kill -SEGV $$; :'; :", NULL,
		0, NULL},
	{"nonzero", "exit", "true", CONNECTOR, false,
		"sh -c 'exit 0'; sh -c 'echo pid $$; exit 9'; :", "exit_code",
		9, NULL},
	{"nonzeroexit", "exit", "true", CONNECTOR, false,
		"sh -c 'exit 0'; sh -c 'echo pid $$; kill -KILL $$; :'; :",
		"signal", SIGKILL, NULL},
};

enum { CAUSES = sizeof(causes) / sizeof(causes[0]) };

static void
check_cause(const struct cause *cause, int choice)
{
	char *script = support_text("exec >&2; %s", cause->script);
	struct run run;

	/* perf tells an exit, but not how; `all` takes root. */
	if (((cause->sources & choices[choice].sources) == 0) ||
		(cause->all && !support_have("root", cause->list)) ||
		!support_have(cause->need, cause->list) ||
		!have_sources(choices[choice].sources, cause->all, cause->list))
		goto end;
	json_t *lines = WATCH(0, &run, choices[choice].option, "-e",
		(char *)cause->list, "--", "sh", "-c", script);
	if (lines == NULL)
		goto end;
	json_int_t value = cause->value == -1	? fact(run.err, cause->fact)
			   : cause->value == -2 ? 4000000000
						: cause->value;
	ck_assert_msg(count(lines, cause->event, fact(run.err, "pid"),
			      cause->key, value) == 1,
		"%s: %s%s", cause->list, run.out, run.err);
	/* And no other one. */
	ck_assert_int_eq(count(lines, NULL, 0, NULL, 0),
		count(lines, cause->event, 0, NULL, 0));
	if (strncmp(cause->list, "nonzero", 7) == 0)
		ck_assert_int_eq(count(lines, NULL, 0, "exit_code", 0), 0);
	json_decref(lines);
	support_run_free(&run);
end:
	free(script);
}

START_TEST(events_have_their_causes)
{
	for (int i = 0; i < CHOICES; i++)
		check_cause(&causes[_i], i);
}
END_TEST

START_TEST(words_are_told)
{
	static char script[] = "sh -c 'kill -KILL $$; :'; sh -c 'exit 1'\n"
			       "printf nslessons >/proc/self/comm; exit 2";
	struct run run;

	if (!have_sources(CONNECTOR, false, __func__))
		return;
	run = RUN("./lesson06", "-e", "exit,comm", "--", "sh", "-c", script);
	ck_run(run, 2);
	if (strstr(run.out, " 0 lost\n") != NULL) {
		ck_assert_int_eq(
			matches(run.out, " exit .* killed by SIGKILL "), 1);
		ck_assert_int_eq(matches(run.out, " exit .* exit 1 "), 1);
		ck_assert_int_eq(matches(run.out, " exit .* exit 2 "), 1);
		ck_assert_int_eq(
			matches(run.out, " comm .* [a-z]+ -> nslessons$"), 1);
	}
	support_run_free(&run);
}
END_TEST

START_TEST(unknown_events_are_named)
{
	expect_error(RUN("./lesson06", "-e", "exec,foo"), 2, "`foo`");
	expect_error(RUN("./lesson06", "-e", "exec,", "true"), 2, "``");
	expect_error(RUN("./lesson06", "--source=dmesg"), 2, "`dmesg`");
	expect_error(RUN("./lesson06", "--ns", "0"), 2, "`0`");
	expect_error(RUN("./lesson06", "--ns", "pid:[12"), 2, "`pid:[12`");
	expect_error(RUN("./lesson06", "--ns", "12]"), 2, "`12]`");
	expect_error(RUN("./lesson06", "--ns", "-1"), 2, "`-1`");
}
END_TEST

/* It says it first, and then waits. An ID is no int; ps takes it for one. */
START_TEST(owners_are_told)
{
	static char script[] =
		"echo $(sed -n 's/^Uid:/is: '$$'/p' /proc/$$/status)"
		" $(ps -o tty= -p $$) .; read x";
	static char *const ids[] = {
		"--reuid=7", "--reuid=4000000000", "--euid=7"};
	if (!have_sources(choices[2].sources, true, __func__))
		return;
	struct session session = support_start((char *const[]){"./lesson06",
		"-x", "-e", "fork,exec", "--", "setpriv", ids[_i], "--regid=8",
		"--clear-groups", "sh", "-c", script, NULL});
	support_expect(&session, " .\r");
	/* Uid has four: the last two are the saved one, and that of files. */
	const char *said = strstr(session.seen, "\nis: ");
	ck_assert_ptr_nonnull(said);
	char *rest;
	long pid = strtol(said + strlen("\nis: "), &rest, 10);
	unsigned uid = (unsigned)strtoul(rest, &rest, 10);
	unsigned effective = (unsigned)strtoul(rest, &rest, 10);
	strtoul(rest, &rest, 10);
	strtoul(rest, &rest, 10);
	rest += strspn(rest, " \t");
	char *tty = strndup(rest, strcspn(rest, " "));
	char *line = support_text("%5u %5u %-6s -", uid, effective, tty);
	support_expect(&session, line);
	support_type(&session, "\n");
	struct run run = support_finish(&session);
	ck_run(run, 0);
	ck_assert_int_ge(matches(run.out,
				 "^[0-9:.]+ exec +%ld +[0-9]+ +%u +%u"
				 " %s ",
				 pid, uid, effective, tty),
		1);
	/* The command is ours in the beginning, and was never another's. */
	ck_assert_int_eq(matches(run.out,
				 "^[0-9:.]+ fork +%ld +[0-9]+ +%u +%u"
				 " %s ",
				 pid, getuid(), geteuid(), tty),
		1);
	free(line);
	free(tty);
	support_run_free(&run);
}
END_TEST

/* --- many short lives ----------------------------------------------------- */

enum { LIVES = 2000 };

/* perf tells names and namespaces of those who live for 50 us. */
START_TEST(no_short_life_is_missed)
{
	static char script[] =
		"readlink /proc/self/ns/pid | tr -dc 'ns 0-9' >&2\n"
		"exec build/tests/bench/load 2 2000 build/tests/bench/tiny"
		" >/dev/null";
	bool inside = _i == 1;
	struct run run;

	if (!have_sources(PERF, true, __func__))
		return;
	json_t *lines = WATCH(0, &run, "--source=perf", "--",
		inside ? "unshare" : "env", inside ? "-Upf" : "X=1", "sh", "-c",
		script);
	if (lines == NULL)
		return;
	json_int_t ino = strtoll(run.err, NULL, 10);
	json_int_t here = (json_int_t)ns_look(NS_SELF, "pid").ino;
	int tiny = 0, right = 0;
	json_t *line;
	size_t i;

	ck_assert_int_gt(ino, 0);
	ck_assert_int_eq(ino != here, inside);
	json_array_foreach(lines, i, line) {
		const char *event =
			json_string_value(json_object_get(line, "event"));
		const char *name =
			json_string_value(json_object_get(line, "name"));
		bool it = event != NULL && strcmp(event, "exec") == 0 &&
			  strcmp(name, "tiny") == 0;

		tiny += it;
		right += it && json_integer_value(json_object_get(
				       line, "pid_namespace")) == ino;
	}
	ck_assert_int_eq(tiny, LIVES);
	ck_assert_int_eq(right, LIVES);
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

/* --- the whole machine ---------------------------------------------------- */

/* A process that lives until its input ends, and whose arguments name it. */
struct mark {
	pid_t pid;
	int in;
	char *name;
};

static struct mark
mark_start(void)
{
	struct mark mark = {
		.name = support_text("nslessons-mark-%d", getpid())};
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	mark.pid = fork();
	ck_assert_int_ne(mark.pid, -1);
	if (mark.pid == 0) {
		if (dup2(fd[0], 0) == -1)
			die("dup2");
		execlp("sh", "sh", "-c", "read x; :", mark.name, (char *)NULL);
		die("exec sh");
	}
	close(fd[0]);
	mark.in = fd[1];
	return mark;
}

static void
mark_end(struct mark *mark)
{
	close(mark->in);
	ck_assert_int_eq(child_wait(mark->pid), 0);
	free(mark->name);
}

/* What one exec of both tools looks like: "21:00:00 exec 1234 ...". */
static bool
tells(const struct watcher *watcher, const char *event, long pid)
{
	return matches(watcher->text, "^[0-9:.]+ %s +%ld[ /]", event, pid) > 0;
}

/* Returns false when forkstat or lesson06 have lost events. */
static bool
agree(const struct watcher *forkstat, const struct watcher *ours,
	const char *workload)
{
	static const char *const events[] = {"exec", "exit"};
	static const char *const names[] = {"top", "child", "killed", "sub"};
	bool complete = true;

	for (int event = 0; event < 2; event++)
		for (size_t i = 0; i < 4; i++) {
			long pid = fact(workload, names[i]);

			/* It has made no exec; but its PID may be another's. */
			if (event == 0 && strcmp(names[i], "sub") == 0)
				continue;
			ck_assert_msg(tells(ours, events[event], pid),
				"%s of %ld (%s) is not told", events[event],
				pid, names[i]);
			complete &= tells(forkstat, events[event], pid);
		}
	return complete;
}

/* forkstat does not say what it has lost, so it gets some tries. */
START_TEST(agrees_with_forkstat)
{
	enum { TRIES = 5 };
	bool complete = false;

	if (!have_sources(choices[_i].sources, true, __func__))
		return;
	for (int i = 0; i < TRIES && !complete; i++) {
		struct watcher forkstat = watcher_start((char *const[]){
			"forkstat", "-l", "-e", "exec,fork,exit", NULL});
		struct watcher ours = watcher_start((char *const[]){
			"./lesson06", choices[_i].option, NULL});
		struct run run = RUN("sh", "-c",
			"echo top $$; sh -c 'echo child $$; exit 5'\n"
			"sh -c 'echo killed $$; kill -KILL $$; :'\n"
			"(exit 7) & echo sub $!; wait");
		struct mark mark = mark_start();

		ck_run(run, 0);
		watcher_expect(&forkstat, mark.name);
		watcher_expect(&ours, mark.name);
		mark_end(&mark);
		watcher_end(&forkstat);
		watcher_end(&ours);
		complete = !has_lost(&ours, __func__) &&
			   agree(&forkstat, &ours, run.out);
		free(forkstat.text);
		free(ours.text);
		support_run_free(&run);
	}
	if (!complete)
		printf("SKIP %s: events were lost: a busy machine\n", __func__);
}
END_TEST

static void
make_noise(void)
{
	for (int i = 0; i < 20; i++) {
		struct run run = RUN("true");

		ck_run(run, 0);
		support_run_free(&run);
	}
}

static pid_t
child_of(pid_t pid)
{
	char *file = support_text("task/%d/children", pid);
	char *list = proc_read(pid, file);
	pid_t child = list == NULL ? 0 : (pid_t)strtol(list, NULL, 10);

	ck_assert_int_gt(child, 0);
	free(list);
	free(file);
	return child;
}

/* A04: a command that is typed inside is a birth, an exec and an end. */
START_TEST(one_namespace_is_followed)
{
	static char script[] = "echo ready; read x\n"
			       "sh -c 'echo inner-$$-; read y; exit 6'; exit 0";
	struct session session;
	char *space;

	if (!have_sources(PERF, true, __func__))
		return;
	session = support_start(
		(char *const[]){"unshare", "-pf", "sh", "-c", script, NULL});
	support_expect(&session, "ready\r");
	pid_t init = child_of(session.pid);
	unsigned long ino = ns_look(init, "pid").ino;
	space = _i == 0	  ? support_text("%d", init)
		: _i == 1 ? support_text("%lu", ino)
			  : support_text("pid:[%lu]", ino);
	struct watcher watcher = watcher_start(
		(char *const[]){"./lesson06", "--ns", space, NULL});
	make_noise();
	support_type(&session, "\n");
	support_expect(&session, "inner-2-");
	pid_t outer = proc_outside(init, 2);
	ck_assert_int_gt(outer, 0);
	make_noise();
	support_type(&session, "\n");
	struct run run = support_finish(&session);
	ck_run(run, 0);
	watcher_end(&watcher);
	if (!has_lost(&watcher, __func__)) {
		const char *text = watcher.text;

		ck_assert_int_eq(matches(text,
					 "^[0-9:.]+ fork +%d/2 +%lu by "
					 "%d ",
					 outer, ino, init),
			1);
		ck_assert_int_eq(
			matches(text, "^[0-9:.]+ exec +%d/2 +%lu ", outer, ino),
			1);
		ck_assert_int_eq(
			matches(text, "^[0-9:.]+ exit +%d/1 +%lu ", init, ino),
			1);
		/* That is all; `exit 6` only where the connector is. */
		ck_assert_int_eq(matches(text,
					 "^[0-9:.]+ exit +%d/2 +%lu "
					 "exit [6?] ",
					 outer, ino),
			1);
		ck_assert_int_eq(matches(text, "^[0-9:]+\\."), 4);
		ck_assert_int_eq(matches(text, "^4 events, 0 lost$"), 1);
	}
	support_run_free(&run);
	free(watcher.text);
	free(space);
}
END_TEST

/* --- where it cannot work ------------------------------------------------- */

/* One line of reason and one of a cure; it says so, and does not hang. */
static void
expect_refusal(struct run run, const char *reason)
{
	ck_run(run, 77);
	ck_assert_str_eq(run.out, "");
	ck_assert_msg(matches(run.err, "^lesson06: cannot run here: .*%s",
			      reason) == 1,
		"%s", run.err);
	ck_assert_int_eq(matches(run.err, "^  cure: "), 1);
	ck_assert_int_eq(display_lines(run.err), 2);
	support_run_free(&run);
}

START_TEST(another_network_namespace_is_named)
{
	expect_refusal(RUN("timeout", "10", "unshare", "-Urn", "./lesson06",
			       "--source=connector"),
		"ECONNREFUSED.*network namespace");
}
END_TEST

/* Another one who asks the connector again and again, and gets answers. */
static pid_t
start_asking(void)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid != 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		die("prctl");
	int listener = open_connector(0);
	while (true) {
		int fd = open_connector(0);

		short_life();
		if (listener == -1 || fd == -1)
			pause();
		close(fd);
	}
}

/* The answers to others, which all who listen get, are none to us. */
START_TEST(silence_is_named)
{
	pid_t other = start_asking();

	expect_refusal(RUN("timeout", "10", "unshare", "-Ur", "./lesson06",
			       "--source=connector"),
		"silent.*user namespace|EPERM.*user namespace");
	if (support_have("root", __func__))
		expect_refusal(
			RUN("timeout", "10", "unshare", "-pf", "--mount-proc",
				"./lesson06", "--source=connector"),
			"silent.*PID");
	ck_assert_int_eq(child_end(other), 128 + SIGKILL);
}
END_TEST

START_TEST(missing_capability_is_named)
{
	char *paranoid =
		proc_read(NS_SELF, "../sys/kernel/perf_event_paranoid");

	if (paranoid == NULL || strtol(paranoid, NULL, 10) < 1)
		printf("SKIP %s: anybody may use perf\n", __func__);
	else
		expect_refusal(RUN("timeout", "10", "setpriv",
				       "--inh-caps=-all", "--bounding-set=-all",
				       "./lesson06", "--source=perf"),
			"CAP_PERFMON");
	free(paranoid);
}
END_TEST

/* As container managers do it. */
static void
forbid_perf(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(a_seccomp_filter_is_survived)
{
	forbid_perf();
	expect_refusal(RUN("timeout", "10", "./lesson06", "--source=perf", "--",
			       "true"),
		"no perf: ");
	if (!have_sources(CONNECTOR, true, __func__))
		return;
	/* What works here does the work, and it is said. */
	expect_error(
		RUN("timeout", "10", "./lesson06", "--", "sh", "-c", "exit 3"),
		3, "no perf: ");
}
END_TEST

/* perf does not tell these events: better to say so than to wait. */
START_TEST(events_that_perf_cannot_tell_are_refused)
{
	static char *const lists[] = {"uid,core", "nonzero"};

	if (!have_sources(PERF, false, __func__))
		return;
	for (int i = 0; i < 2; i++) {
		struct run run = RUN("timeout", "10", "./lesson06",
			"--source=perf", "-e", lists[i], "true");

		ck_run(run, 2);
		ck_assert_str_eq(run.out, "");
		ck_assert_ptr_nonnull(
			strstr(run.err, "--source=perf does not tell"));
		ck_assert_ptr_nonnull(strstr(run.err, lists[i]));
		support_run_free(&run);
	}
}
END_TEST

/* Lists add up, as those of forkstat do. */
START_TEST(lists_of_events_add_up)
{
	struct run run;
	json_t *lines =
		WATCH(0, &run, "-e", "fork", "-e", "exit", "--", "true");

	if (lines == NULL)
		return;
	ck_assert_int_eq(count(lines, "fork", 0, NULL, 0), 1);
	ck_assert_int_eq(count(lines, "exec", 0, NULL, 0), 0);
	ck_assert_int_eq(count(lines, "exit", 0, NULL, 0), 1);
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

/* --- hostile names -------------------------------------------------------- */

/* A name and arguments that would colour, clear, or break a line. */
static char hostile[] =
	"printf 'a)b\\033[31m\\n\\r\\377' >/proc/self/comm\n"
	"(exec -a \"$(printf 'b\\033]0;x\\007\\n\\377\\302\\233')\" sh -c ':; :'"
	" \"$(printf 'a\\nb\\r\\033\\377\\303')\" 'a)b' '' \"it's\")\n"
	"printf '\\302\\233\\xe5\\xae' >/proc/self/comm; sh -c ':; :'\n"
	"printf 'a)b' >/proc/self/comm; (exit 3)\n"
	"exec sh -c ':; :' $(seq 100000 220000)";

static void
expect_clean(const char *text)
{
	ck_assert_msg(mbstowcs(NULL, text, 0) != (size_t)-1, "no UTF-8");
	for (; *text != '\0'; text++) {
		ck_assert_msg(((unsigned char)*text >= 0x20 || *text == '\n') &&
				      *text != 0x7f,
			"control character: %.20s", text);
		ck_assert_msg(strncmp(text, "\xc2\x9b", 2) != 0, "C1");
	}
}

START_TEST(no_name_reaches_the_terminal)
{
	char *option = choices[_i].option;
	struct run run;

	if (!have_sources(choices[_i].sources, false, __func__))
		return;
	run = RUN(
		"./lesson06", option, "-e", "all", "--", "bash", "-c", hostile);
	ck_run(run, 0);
	expect_clean(run.out);
	/* No name has made a line of its own. */
	ck_assert_int_eq(matches(run.out, "^[0-9:.]+ [a-z]+ +[0-9]+[/ ]"),
		display_lines(run.out) - 2);
	support_run_free(&run);
	json_t *lines = WATCH(
		0, &run, option, "-e", "all", "--", "bash", "-c", hostile);
	if (lines == NULL)
		return;
	expect_clean(run.out);
	ck_assert_int_ge(count(lines, "comm", 0, NULL, 0), 3);
	json_decref(lines);
	support_run_free(&run);
}
END_TEST

/* -------------------------------------------------------------------------- */

static TCase *
new_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 180);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void
add_modules(Suite *suite)
{
	TCase *modules = new_case(suite, "modules");

	tcase_add_test(modules, arguments_are_quoted);
	if (SUPPORT_HAVE("bash_reads_what_was_quoted", "bash"))
		tcase_add_test(modules, bash_reads_what_was_quoted);
	tcase_add_test(modules, lists_of_events_are_read);
	tcase_add_test(modules, ends_are_told_in_words);
	tcase_add_test(modules, perf_counts_what_it_loses);
	tcase_add_test(modules, perf_records_go_round);
	tcase_add_test(modules, connector_counts_what_it_loses);
	if (SUPPORT_HAVE("only_the_kernel_is_believed", "root"))
		tcase_add_test(modules, only_the_kernel_is_believed);
	tcase_add_test(modules, clone_parent_has_two_answers);
}

static void
add_commands(Suite *suite)
{
	TCase *commands = new_case(suite, "commands");

	tcase_add_loop_test(
		commands, events_are_what_the_workload_says, 0, CHOICES);
	tcase_add_loop_test(
		commands, times_are_those_of_the_events, 0, CHOICES);
	tcase_add_loop_test(
		commands, arguments_are_those_of_the_program, 0, CHOICES);
	tcase_add_test(commands, unknown_events_are_named);
	if (support_have("namespaces", "a_container_is_a_row_of_execs"))
		tcase_add_loop_test(
			commands, a_container_is_a_row_of_execs, 0, CHOICES);
	tcase_add_loop_test(commands, threads_are_no_processes, 0, CHOICES);
	tcase_add_loop_test(commands, events_have_their_causes, 0, CAUSES);
	tcase_add_test(commands, words_are_told);
	if (SUPPORT_HAVE("no_name_reaches_the_terminal", "bash", "seq"))
		tcase_add_loop_test(
			commands, no_name_reaches_the_terminal, 0, CHOICES);
	if (SUPPORT_HAVE("owners_are_told", "root", "setpriv", "ps"))
		tcase_add_loop_test(commands, owners_are_told, 0, 3);
	if (SUPPORT_HAVE("no_short_life_is_missed", "root", "unshare"))
		tcase_add_loop_test(commands, no_short_life_is_missed, 0, 2);
}

/* These need a source; it does not matter which. */
static void
add_streams(Suite *suite)
{
	TCase *streams = new_case(suite, "streams");

	if (!connector_tells() && !perf_opens(false)) {
		printf("SKIP streams: needs the source connector or perf\n");
		return;
	}
	tcase_add_test(streams, codes_are_those_of_a_shell);
	tcase_add_test(streams, lists_of_events_add_up);
	tcase_add_test(streams, sigterm_ends_the_command);
	tcase_add_test(streams, ctrl_c_reaches_the_command_once);
	tcase_add_test(streams, streams_are_the_readers);
	if (connector_tells())
		tcase_add_test(streams, ctrl_c_ends_it_with_the_summary);
}

static void
add_machine(Suite *suite)
{
	TCase *machine = new_case(suite, "machine");

	if (SUPPORT_HAVE("agrees_with_forkstat", "root", "forkstat"))
		tcase_add_loop_test(machine, agrees_with_forkstat, 0, CHOICES);
	if (SUPPORT_HAVE("one_namespace_is_followed", "root", "unshare"))
		tcase_add_loop_test(machine, one_namespace_is_followed, 0, 3);
}

static void
add_refusals(Suite *suite)
{
	TCase *refusals = new_case(suite, "refusals");

	if (SUPPORT_HAVE("refusals", "userns", "unshare")) {
		tcase_add_test(refusals, another_network_namespace_is_named);
		tcase_add_test(refusals, silence_is_named);
	}
	if (SUPPORT_HAVE("missing_capability_is_named", "root", "setpriv"))
		tcase_add_test(refusals, missing_capability_is_named);
	tcase_add_test(refusals, a_seccomp_filter_is_survived);
	tcase_add_test(refusals, events_that_perf_cannot_tell_are_refused);
}

Suite *
suite_watch(void)
{
	Suite *suite = suite_create("watch");

	add_modules(suite);
	add_commands(suite);
	add_streams(suite);
	add_machine(suite);
	add_refusals(suite);
	return suite;
}
