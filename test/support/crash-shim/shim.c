/*
 * Notes every change a process makes below one directory, in the order in which it happens, under whatever
 * makes it (Node, native add-ons). Loaded with LD_PRELOAD; used by trace.ts, which says what a record means.
 *
 *   CRASH_ROOT   absolute path below which changes are noted
 *   CRASH_TRACE  file the records are appended to
 *   CRASH_MARKS  what is written to this file becomes a mark in the trace
 *
 * One lock is held over each call and its record, so that the trace has the order of the disk. Calls go to
 * the kernel directly. Standard I/O writes from inside libc, where nothing can be hooked: a stream's file is
 * read back after each call that may have flushed it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#undef fwrite_unlocked
#undef fflush_unlocked

enum op { CREATE = 1, TRUNCATE, WRITE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, MARK };
enum kind { NONE = 0, TRACKED, MARKS };

#define MAX_FDS 65536

struct tracked {
  enum kind kind;
  int stdio;
  int append;
  uint64_t inode;
  int64_t known;
};

static struct tracked table[MAX_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace_fd = -1;
static const char *root, *marks;
static size_t root_length;

__attribute__((constructor)) static void start(void) {
  root = getenv("CRASH_ROOT");
  marks = getenv("CRASH_MARKS");
  const char *trace = getenv("CRASH_TRACE");
  if (!root || !marks || !trace) return;
  root_length = strlen(root);
  trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int below(const char *path) {
  return trace_fd >= 0 && path && strncmp(path, root, root_length) == 0 &&
         (path[root_length] == '/' || path[root_length] == 0);
}

static void note(enum op op, uint64_t a, uint64_t b, const char *one, const char *two, const struct iovec *data,
                 int pieces, size_t bytes) {
  struct { uint32_t op, one, two, bytes; uint64_t a, b; } head = {
      op, one ? (uint32_t)strlen(one) : 0, two ? (uint32_t)strlen(two) : 0, (uint32_t)bytes, a, b};
  struct iovec parts[4] = {{&head, sizeof head}, {(void *)one, head.one}, {(void *)two, head.two}, {0, 0}};
  char *flat = 0;
  if (bytes > 0) {
    flat = malloc(bytes);
    size_t at = 0;
    for (int i = 0; i < pieces && at < bytes; i++) {
      size_t take = data[i].iov_len < bytes - at ? data[i].iov_len : bytes - at;
      memcpy(flat + at, data[i].iov_base, take);
      at += take;
    }
    parts[3].iov_base = flat;
    parts[3].iov_len = bytes;
  }
  size_t total = sizeof head + head.one + head.two + bytes;
  if (syscall(SYS_writev, trace_fd, parts, 4) != (long)total) abort();
  free(flat);
}

static uint64_t inode_of(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static struct tracked *entry(int fd) {
  return fd >= 0 && fd < MAX_FDS && table[fd].kind != NONE ? &table[fd] : 0;
}

static void track(int fd, const char *path, int flags, int existed) {
  if (fd < 0 || fd >= MAX_FDS) return;
  memset(&table[fd], 0, sizeof table[fd]);
  if (trace_fd >= 0 && strcmp(path, marks) == 0) {
    table[fd].kind = MARKS;
    return;
  }
  if (!below(path)) return;
  table[fd].kind = TRACKED;
  table[fd].inode = inode_of(fd);
  table[fd].append = (flags & O_APPEND) != 0;
  if (!existed) note(CREATE, table[fd].inode, 0, path, 0, 0, 0, 0);
  else if (flags & O_TRUNC) note(TRUNCATE, table[fd].inode, 0, 0, 0, 0, 0, 0);
}

static int hooked_open(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  struct stat st;
  int existed = !(flags & O_CREAT) || syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  int saved = errno;
  track(fd, path, flags, existed);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return fd;
}

#define MODE_ARGUMENT(flags)                                   \
  mode_t mode = 0;                                             \
  if ((flags) & (O_CREAT | O_TMPFILE)) {                       \
    va_list list;                                              \
    va_start(list, flags);                                     \
    mode = va_arg(list, mode_t);                               \
    va_end(list);                                              \
  }

int open(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return hooked_open(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return hooked_open(path, flags, mode);
}
int openat(int dir, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  if (dir == AT_FDCWD || path[0] == '/') return hooked_open(path, flags, mode);
  return (int)syscall(SYS_openat, dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  if (dir == AT_FDCWD || path[0] == '/') return hooked_open(path, flags, mode);
  return (int)syscall(SYS_openat, dir, path, flags, mode);
}
int creat(const char *path, mode_t mode) { return hooked_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return hooked_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static void wrote(int fd, int64_t offset, const struct iovec *data, int pieces, ssize_t bytes) {
  struct tracked *to = entry(fd);
  if (!to || bytes <= 0) return;
  if (to->kind == MARKS) {
    note(MARK, 0, 0, 0, 0, data, pieces, (size_t)bytes);
    return;
  }
  /* Linux appends to a file opened so, whatever offset is asked for. */
  if (offset < 0) offset = lseek(fd, 0, SEEK_CUR) - bytes;
  else if (to->append) {
    struct stat st;
    fstat(fd, &st);
    offset = st.st_size - bytes;
  }
  note(WRITE, to->inode, (uint64_t)offset, 0, 0, data, pieces, (size_t)bytes);
}

static ssize_t hooked_write(int fd, int64_t offset, const struct iovec *data, int pieces) {
  if (!entry(fd)) {
    return offset < 0 ? syscall(SYS_writev, fd, data, pieces) : syscall(SYS_pwritev, fd, data, pieces, offset, 0);
  }
  pthread_mutex_lock(&lock);
  ssize_t bytes =
      offset < 0 ? syscall(SYS_writev, fd, data, pieces) : syscall(SYS_pwritev, fd, data, pieces, offset, 0);
  int saved = errno;
  wrote(fd, offset, data, pieces, bytes);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return bytes;
}

ssize_t write(int fd, const void *data, size_t bytes) {
  if (!entry(fd)) return syscall(SYS_write, fd, data, bytes);
  struct iovec one = {(void *)data, bytes};
  return hooked_write(fd, -1, &one, 1);
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  struct iovec one = {(void *)data, bytes};
  return hooked_write(fd, offset, &one, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) {
  struct iovec one = {(void *)data, bytes};
  return hooked_write(fd, offset, &one, 1);
}
ssize_t writev(int fd, const struct iovec *data, int pieces) { return hooked_write(fd, -1, data, pieces); }
ssize_t pwritev(int fd, const struct iovec *data, int pieces, off_t offset) {
  return hooked_write(fd, offset, data, pieces);
}
ssize_t pwritev64(int fd, const struct iovec *data, int pieces, off64_t offset) {
  return hooked_write(fd, offset, data, pieces);
}

/* What a stream has flushed since the last look. */
static void grown(int fd) {
  struct tracked *to = entry(fd);
  struct stat st;
  if (!to || !to->stdio || fstat(fd, &st) != 0 || st.st_size <= to->known) return;
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  int reader = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
  size_t bytes = (size_t)(st.st_size - to->known);
  char *data = malloc(bytes);
  if (reader < 0 || syscall(SYS_pread64, reader, data, bytes, to->known) != (long)bytes) abort();
  syscall(SYS_close, reader);
  struct iovec one = {data, bytes};
  note(WRITE, to->inode, (uint64_t)to->known, 0, 0, &one, 1, bytes);
  to->known = st.st_size;
  free(data);
}

static int hooked_sync(long call, int fd) {
  pthread_mutex_lock(&lock);
  int result = (int)syscall(call, fd);
  int saved = errno;
  struct tracked *to = entry(fd);
  if (to && result == 0) {
    grown(fd);
    note(SYNC, to->inode, 0, 0, 0, 0, 0, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int fsync(int fd) { return hooked_sync(SYS_fsync, fd); }
int fdatasync(int fd) { return hooked_sync(SYS_fdatasync, fd); }

static int hooked_truncate(int fd, off_t size) {
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_ftruncate, fd, size);
  int saved = errno;
  struct tracked *to = entry(fd);
  if (to && result == 0) note(TRUNCATE, to->inode, (uint64_t)size, 0, 0, 0, 0, 0);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int ftruncate(int fd, off_t size) { return hooked_truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return hooked_truncate(fd, size); }

static int named(enum op op, long result, const char *one, const char *two) {
  int saved = errno;
  struct stat st;
  uint64_t inode = 0;
  if (op == MKDIR && result == 0 && stat(one, &st) == 0) inode = (uint64_t)st.st_ino;
  if (result == 0 && (below(one) || below(two))) note(op, inode, 0, one, two, 0, 0, 0);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return (int)result;
}
int rename(const char *from, const char *to) {
  pthread_mutex_lock(&lock);
  return named(RENAME, syscall(SYS_rename, from, to), from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
  pthread_mutex_lock(&lock);
  return named(RENAME, syscall(SYS_renameat, a, from, b, to), from, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  pthread_mutex_lock(&lock);
  return named(RENAME, syscall(SYS_renameat2, a, from, b, to, flags), from, to);
}
int unlink(const char *path) {
  pthread_mutex_lock(&lock);
  return named(UNLINK, syscall(SYS_unlink, path), path, 0);
}
int unlinkat(int dir, const char *path, int flags) {
  pthread_mutex_lock(&lock);
  return named(flags & AT_REMOVEDIR ? RMDIR : UNLINK, syscall(SYS_unlinkat, dir, path, flags), path, 0);
}
int mkdir(const char *path, mode_t mode) {
  pthread_mutex_lock(&lock);
  return named(MKDIR, syscall(SYS_mkdir, path, mode), path, 0);
}
int rmdir(const char *path) {
  pthread_mutex_lock(&lock);
  return named(RMDIR, syscall(SYS_rmdir, path), path, 0);
}
int link(const char *from, const char *to) {
  pthread_mutex_lock(&lock);
  return named(LINK, syscall(SYS_link, from, to), from, to);
}

/* A process that kills itself must not die between a call and its record. */
int kill(pid_t pid, int signal) {
  if (pid == getpid()) pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_kill, pid, signal);
  int saved = errno;
  if (pid == getpid()) pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}

int close(int fd) {
  if (fd >= 0 && fd < MAX_FDS) table[fd].kind = NONE;
  return (int)syscall(SYS_close, fd);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static FILE *hooked_fopen(FILE *(*real)(const char *, const char *), const char *path, const char *mode) {
  pthread_mutex_lock(&lock);
  struct stat st;
  int existed = stat(path, &st) == 0;
  FILE *file = real(path, mode);
  if (file && mode[0] != 'r') {
    int fd = fileno(file);
    track(fd, path, mode[0] == 'w' ? O_TRUNC : O_APPEND, existed);
    if (entry(fd)) {
      table[fd].stdio = 1;
      table[fd].known = mode[0] == 'a' && existed ? st.st_size : 0;
    }
  }
  pthread_mutex_unlock(&lock);
  return file;
}
FILE *fopen(const char *path, const char *mode) {
  REAL(fopen);
  return hooked_fopen(real, path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
  REAL(fopen64);
  return hooked_fopen(real, path, mode);
}

#define STREAM(result, name, parameters, arguments)                 \
  result name parameters {                                          \
    REAL(name);                                                     \
    if (!entry(fileno(file))) return real arguments;                \
    pthread_mutex_lock(&lock);                                      \
    result value = real arguments;                                  \
    int saved = errno;                                              \
    grown(fileno(file));                                            \
    pthread_mutex_unlock(&lock);                                    \
    errno = saved;                                                  \
    return value;                                                   \
  }
STREAM(size_t, fwrite, (const void *data, size_t size, size_t count, FILE *file), (data, size, count, file))
STREAM(size_t, fwrite_unlocked, (const void *data, size_t size, size_t count, FILE *file),
       (data, size, count, file))

#define FLUSH(name)                                                 \
  int name(FILE *file) {                                            \
    REAL(name);                                                     \
    if (!file || !entry(fileno(file))) return real(file);           \
    pthread_mutex_lock(&lock);                                      \
    int value = real(file);                                         \
    int saved = errno;                                              \
    grown(fileno(file));                                            \
    pthread_mutex_unlock(&lock);                                    \
    errno = saved;                                                  \
    return value;                                                   \
  }
FLUSH(fflush)
FLUSH(fflush_unlocked)

int fclose(FILE *file) {
  REAL(fclose);
  int fd = fileno(file);
  if (!entry(fd)) return real(file);
  fflush(file);
  table[fd].kind = NONE;
  return real(file);
}
