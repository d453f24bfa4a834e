/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Stands between a program and its disk, for tests, loaded by LD_PRELOAD. While the file SLOW exists, each sync takes as many
 * seconds longer as stand in it. With the variable DISK_CUT_AT=n in the environment the power fails right before the n-th step
 * that changes what a later start finds (a file put on the disk, made, renamed, linked or removed): SIGKILL, at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void may_be_cut(void)
{
	static int steps;
	const char *at = getenv("DISK_CUT_AT");
	if (at != NULL && __sync_add_and_fetch(&steps, 1) == atoi(at))
		kill(getpid(), SIGKILL);
}

static void may_be_slow(void)
{
	double seconds = 0;
	FILE *slow = fopen(SLOW, "r");
	if (slow == NULL)
		return;
	if (fscanf(slow, "%lf", &seconds) == 1)
		usleep((useconds_t)(seconds * 1e6));
	fclose(slow);
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
