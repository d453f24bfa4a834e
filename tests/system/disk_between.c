/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Stands between a program and its disk, for tests, loaded by LD_PRELOAD. While the file SLOW exists, each sync takes as many
 * seconds longer as stand in it. Once the file CUT exists, which holds a number n, the power fails right before the n-th step
 * that changes what a later start finds (a file put on the disk, renamed, linked or removed, a folder made): SIGKILL, at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static double in_file(const char *name)
{
	double number = 0;
	FILE *file = fopen(name, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%lf", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

static void may_be_cut(void)
{
	static int steps;
	int at = (int)in_file(CUT);
	if (at > 0 && __sync_add_and_fetch(&steps, 1) == at)
		kill(getpid(), SIGKILL);
}

static void may_be_slow(void)
{
	double seconds = in_file(SLOW);
	if (seconds > 0)
		usleep((useconds_t)(seconds * 1e6));
}

#define BETWEEN(name, parameters, arguments, before) \
	int name parameters { \
		int (*real) parameters = dlsym(RTLD_NEXT, #name); \
		before; \
		return real arguments; \
	}

BETWEEN(fsync, (int file), (file), may_be_slow(); may_be_cut())
BETWEEN(fdatasync, (int file), (file), may_be_slow(); may_be_cut())
BETWEEN(rename, (const char *from, const char *to), (from, to), may_be_cut())
BETWEEN(symlink, (const char *to, const char *name), (to, name), may_be_cut())
BETWEEN(unlink, (const char *name), (name), may_be_cut())
BETWEEN(mkdir, (const char *name, mode_t mode), (name, mode), may_be_cut())
