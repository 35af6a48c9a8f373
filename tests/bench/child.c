/* The child of every measurement: says by datagram that it runs, then does as it is told.
 *
 * child SOCKET TAG wait          reports its birth, and waits to be ended
 * child SOCKET TAG die           reports its birth, and ends
 * child SOCKET TAG write BYTES   reports its birth, waits for SIGUSR1, writes that many bytes of
 *                                lines to stdout, reports both ends of that, and waits
 * child SOCKET TAG flood         writes lines for ever, as nice as can be
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE 100
#define BLOCK (655 * LINE)

struct report {
    uint64_t at;
    int32_t pid;
    char kind;
    char tag[19];
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char block[BLOCK];
static const char *tag;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void tell(char kind, uint64_t at) {
    struct report report = {.at = at, .pid = getpid(), .kind = kind};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    strncpy(report.tag, tag, sizeof report.tag - 1);
    sendto(fd, &report, sizeof report, 0, (struct sockaddr *)&address, sizeof address);
    close(fd);
}

static void write_lines(uint64_t left) {
    while (left) {
        size_t want = left < BLOCK ? (size_t)left : BLOCK, done = 0;
        while (done < want) {
            ssize_t n = write(1, block + done, want - done);
            if (n <= 0) _exit(1);
            done += (size_t)n;
        }
        left -= want;
    }
}

int main(int argc, char **argv) {
    uint64_t born = now();
    const char *what = argc > 3 ? argv[3] : "wait";
    sigset_t usr1;
    int ignored;
    if (argc < 3) return 2;
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    tag = argv[2];
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    if (!strcmp(what, "write")) sigprocmask(SIG_BLOCK, &usr1, NULL);
    tell('b', born);
    if (!strcmp(what, "die")) return 0;
    for (size_t i = 0; i < BLOCK; i++) block[i] = i % LINE == LINE - 1 ? '\n' : 'a' + i % 26;
    if (!strcmp(what, "write") && argc > 4) {
        sigwait(&usr1, &ignored);
        tell('s', now());
        write_lines(strtoull(argv[4], NULL, 10));
        tell('e', now());
    } else if (!strcmp(what, "flood")) {
        if (nice(10) == -1) return 1;
        for (;;) write_lines(BLOCK);
    }
    for (;;) pause();
}
