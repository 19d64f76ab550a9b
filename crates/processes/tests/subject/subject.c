/* Puts itself into one of the states that a process can be in; the first word says which.
   It prints one line when it is there, and ends by itself after five minutes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ready(long number)
{
	printf("ready %ld\n", number);
	fflush(stdout);
}

static volatile int thread_runs;

static void *wait_for_ever(void *unused)
{
	(void)unused;
	thread_runs = 1;
	for (;;)
		pause();
	return 0;
}

static void end_on_term(int signal)
{
	(void)signal;
	_exit(7);
}

static void go_on(int signal)
{
	(void)signal;
}

static void second_thread(void)
{
	pthread_t thread;
	if (pthread_create(&thread, 0, wait_for_ever, 0))
		exit(3);
	/* Until it runs, the C library blocks every signal in it. */
	while (!thread_runs)
		usleep(100);
}

/* Children of every kind: plain, in a session of their own, with a parent that is gone, deaf to TERM. */
static void grow(int left)
{
	while (left-- > 0) {
		int kind = left % 4;
		pid_t child = fork();
		if (child < 0)
			exit(3);
		if (child > 0) {
			if (kind == 2) {
				int status;
				waitpid(child, &status, 0);
			}
			continue;
		}
		/* A child does not inherit the alarm. */
		alarm(120);
		if (kind == 1)
			setsid();
		if (kind == 2) {
			/* The group of the leader above is what is left to know it by. */
			if (fork() != 0)
				_exit(0);
			alarm(120);
		}
		if (kind == 3)
			signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
}

/* Serves a FUSE file system that greets the kernel and answers nothing else. */
static void serve_nothing(const char *folder)
{
	static char request[1 << 20];
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} answer;
	const struct fuse_in_header *asked = (const void *)request;
	char options[100];
	int device = open("/dev/fuse", O_RDWR);
	if (device < 0)
		exit(4);
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	if (mount("surefoot-test", folder, "fuse.silent", MS_NOSUID | MS_NODEV, options) != 0)
		exit(5);
	if (read(device, request, sizeof request) < 0)
		exit(6);
	memset(&answer, 0, sizeof answer);
	answer.header.len = sizeof answer;
	answer.header.unique = asked->unique;
	answer.init.major = FUSE_KERNEL_VERSION;
	answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
	answer.init.max_write = 4096;
	if (write(device, &answer, sizeof answer) < 0)
		exit(7);
	ready(getpid());
	for (;;)
		if (read(device, request, sizeof request) < 0)
			exit(0);
}

static volatile sig_atomic_t end_at_once;

static void note_term(int signal)
{
	(void)signal;
	end_at_once = 1;
}

/* Ends some time after TERM and writes down when, on the clock that the test reads as well. */
static void end_with_a_word(const char *file)
{
	FILE *words = fopen(file, "w");
	sigset_t set;
	struct timespec now;
	if (!words)
		exit(4);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, 0);
	signal(SIGTERM, note_term);
	ready(getpid());
	sigemptyset(&set);
	while (!end_at_once)
		sigsuspend(&set);
	usleep(30000);
	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(words, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
	fflush(words);
	_exit(0);
}

static int hits;

static void note_hit(int signal)
{
	(void)signal;
	if (write(hits, "!", 1) < 0)
		_exit(9);
}

/* Forks children that live for some milliseconds, in a space of some hundred numbers, which it goes
   through again and again. Each writes down a TERM that it gets; how many there were is in a file. */
static void storm(const char *hits_file, const char *count_file)
{
	long count = 0;
	char text[24];
	hits = open(hits_file, O_CREAT | O_WRONLY | O_APPEND, 0600);
	int counted = open(count_file, O_CREAT | O_WRONLY, 0600);
	int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	if (hits < 0 || last < 0 || counted < 0)
		exit(4);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, note_hit);
	ready(getpid());
	for (;;) {
		if (count % 200 == 0) {
			int length = snprintf(text, sizeof text, "%ld\n", count);
			if (pwrite(last, "300", 3, 0) < 0 || pwrite(counted, text, length, 0) < 0)
				exit(5);
		}
		pid_t child = fork();
		if (child == 0) {
			usleep(20000);
			_exit(0);
		}
		if (child < 0)
			usleep(1000);
		else
			count++;
		usleep(200);
	}
}

int main(int count, char **words)
{
	const char *kind = count > 1 ? words[1] : "";
	int number = count > 2 ? atoi(words[2]) : 0;
	sigset_t set;
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	alarm(300);
	if (!strcmp(kind, "plain")) {
		ready(getpid());
	} else if (!strcmp(kind, "ignores")) {
		signal(SIGTERM, SIG_IGN);
		ready(getpid());
	} else if (!strcmp(kind, "catches")) {
		signal(SIGTERM, end_on_term);
		ready(getpid());
	} else if (!strcmp(kind, "catches-only")) {
		signal(SIGTERM, go_on);
		ready(getpid());
	} else if (!strcmp(kind, "blocks")) {
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, 0);
		second_thread();
		ready(getpid());
	} else if (!strcmp(kind, "reads-signals")) {
		struct signalfd_siginfo told;
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, 0);
		int file = signalfd(-1, &set, 0);
		ready(getpid());
		while (read(file, &told, sizeof told) != sizeof told)
			;
		_exit(7);
	} else if (!strcmp(kind, "blocks-in-one")) {
		second_thread();
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		pthread_sigmask(SIG_BLOCK, &set, 0);
		ready(getpid());
	} else if (!strcmp(kind, "zombie")) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		siginfo_t info;
		waitid(P_PID, child, &info, WEXITED | WNOWAIT);
		ready(child);
	} else if (!strcmp(kind, "dead-leader")) {
		second_thread();
		ready(getpid());
		pthread_exit(0);
	} else if (!strcmp(kind, "vfork-parent")) {
		ready(getpid());
		if (vfork() == 0) {
			alarm(120);
			for (;;)
				pause();
		}
	} else if (!strncmp(kind, "traced", 6)) {
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		int status;
		if (ptrace(PTRACE_ATTACH, child, 0, 0))
			return 3;
		waitpid(child, &status, __WALL);
		if (!strcmp(kind, "traced-to-the-end") && ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT))
			return 3;
		ready(child);
		raise(SIGSTOP);
	} else if (!strcmp(kind, "serves-nothing")) {
		serve_nothing(words[2]);
	} else if (!strcmp(kind, "ends-with-a-word")) {
		end_with_a_word(words[2]);
	} else if (!strcmp(kind, "storm")) {
		storm(words[2], words[3]);
	} else if (!strcmp(kind, "write")) {
		/* Opens a file for writing when it is told to. */
		char line[8];
		ready(getpid());
		if (!fgets(line, sizeof line, stdin))
			return 3;
		open(words[2], O_CREAT | O_WRONLY, 0600);
	} else if (!strcmp(kind, "tree")) {
		setpgid(0, 0);
		grow(number);
		ready(getpid());
	} else if (!strcmp(kind, "deaf-tree")) {
		setpgid(0, 0);
		signal(SIGTERM, SIG_IGN);
		grow(number);
		ready(getpid());
	} else if (!strcmp(kind, "scatter")) {
		/* Forks until its end, each child in a session of its own and deaf to TERM; all have one name. */
		char name[16];
		snprintf(name, sizeof name, "scatter%d", getpid());
		prctl(PR_SET_NAME, name);
		setpgid(0, 0);
		signal(SIGTERM, SIG_IGN);
		ready(getpid());
		for (;;) {
			if (fork() == 0) {
				setsid();
				alarm(120);
				for (;;)
					pause();
			}
			usleep(2000);
		}
	} else if (!strcmp(kind, "fork-on")) {
		/* Each generation forks the next one and ends: none lives long. */
		setpgid(0, 0);
		signal(SIGTERM, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		ready(getpid());
		for (;;) {
			if (fork() == 0) {
				usleep(30000);
				_exit(0);
			}
			usleep(3000);
		}
	} else {
		return 2;
	}
	for (;;)
		pause();
}
