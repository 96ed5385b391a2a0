// Makes system calls on files fail with EIO, as a failing disk does, for a process that is started with this in LD_PRELOAD. The file
// that FAILING_CALLS names has a line for each fault that is in force: a call and a part of the path, such as "write rows/data.mdb".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define META_BYTES 8192
#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = dlsym(RTLD_NEXT, name)

static int isRefusedPath(const char *call, const char *path) {
  const char *control = getenv("FAILING_CALLS");
  FILE *file = control == NULL ? NULL : fopen(control, "re");
  char name[32], part[256];
  int isRefused = 0;
  if (file == NULL) return 0;
  while (fscanf(file, "%31s %255s", name, part) == 2)
    if (strcmp(name, call) == 0 && strstr(path, part) != NULL) isRefused = 1;
  fclose(file);
  return isRefused;
}

static int isRefused(const char *call, int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  // Only files of lmdb are of interest: all others stay cheap.
  return strstr(path, ".mdb") != NULL && isRefusedPath(call, path);
}

static int refuse(void) {
  errno = EIO;
  return -1;
}

// "meta": the first two pages, of which lmdb writes one at the end of each commit.
#define WRITES_AT(name, offset_t) \
  ssize_t name(int fd, const void *data, size_t bytes, offset_t at) { \
    if (isRefused("write", fd) || (at < META_BYTES && isRefused("meta", fd))) return refuse(); \
    REAL(ssize_t, #name, int, const void *, size_t, offset_t); \
    return real(fd, data, bytes, at); \
  }
WRITES_AT(pwrite, off_t)
WRITES_AT(pwrite64, off64_t)

int fdatasync(int fd) {
  if (isRefused("sync", fd)) return refuse();
  REAL(int, "fdatasync", int);
  return real(fd);
}

int fsync(int fd) {
  if (isRefused("sync", fd)) return refuse();
  REAL(int, "fsync", int);
  return real(fd);
}

#define OPENS(name) \
  int name(const char *path, int flags, ...) { \
    va_list words; \
    va_start(words, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(words, mode_t) : 0; \
    va_end(words); \
    if (strstr(path, ".mdb") != NULL && isRefusedPath("open", path)) return refuse(); \
    REAL(int, #name, const char *, int, ...); \
    return real(path, flags, mode); \
  }
OPENS(open)
OPENS(open64)
