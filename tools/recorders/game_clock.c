/* A game's clock in the recorder's hand: preloaded into a game, it lets time pass as the recorder says, a recorded frame
   at a time, and holds the game after each picture that it shows until the next one is wanted. So a game that is drawn
   slowly, in software and on a busy machine, is recorded at its own pace, with no frame missed and none shown twice.

     gcc -O2 -shared -fPIC -o game_clock.so game_clock.c -ldl
     GAME_CLOCK=PAGE LD_PRELOAD=./game_clock.so game

   PAGE is a file of 64 bytes that both map: struct page below. clock.py is the recorder's side. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define SLICE 1000000LL   /* a real millisecond: how often a thread that waits looks at the page */
#define EPOCH 1700000000LL /* where the calendar begins for every game: seeds that come of it are the same each time */

struct page {
    _Atomic int64_t now;     /* nanoseconds since the game started; the recorder's */
    _Atomic int64_t wanted;  /* pictures that may be shown by now; below 0: as many as the game likes; the recorder's */
    _Atomic int64_t shown;   /* pictures shown; the game's */
    _Atomic int64_t waiting; /* 1 while the thread that shows pictures waits for time to pass; the game's */
    _Atomic int64_t looks;   /* times that this thread looked at the clock since it last showed one; the game's */
};
static struct page alone, *page = &alone;
static __thread int shows; /* whether this thread has shown a picture */

__attribute__((constructor)) static void map_page(void) {
    const char *name = getenv("GAME_CLOCK");
    int file = name ? open(name, O_RDWR) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) page = mapped;
}

static int is_presenter(void) { return shows || (page->shown == 0 && syscall(SYS_gettid) == getpid()); }

static int follows(clockid_t clock) { /* not the clocks of processor time */
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
}
static int64_t base(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? EPOCH * SECOND : 1000 * SECOND;
}
static int64_t nanoseconds(const struct timespec *t) { return t->tv_sec * SECOND + t->tv_nsec; }
static struct timespec timespec_of(int64_t t) {
    if (t < 0) t = 0;
    return (struct timespec){t / SECOND, t % SECOND};
}
static int64_t look(clockid_t clock) {
    if (is_presenter()) page->looks++;
    return base(clock) + page->now;
}
static void real_sleep(int64_t t) {
    struct timespec s = timespec_of(t);
    syscall(SYS_nanosleep, &s, NULL);
}

/* One slice of a wait that ends at `until` of game time; 0 when it is over. */
static int wait_slice(int64_t until) {
    if (page->now >= until) return 0;
    int presenter = is_presenter();
    if (presenter) page->waiting = 1;
    real_sleep(SLICE);
    if (presenter && page->now >= until) page->waiting = 0;
    return page->now < until;
}
static void wait_until(int64_t until) {
    while (wait_slice(until)) {}
    if (is_presenter()) page->waiting = 0;
}

/* Clocks. */
int clock_gettime(clockid_t clock, struct timespec *t) {
    if (!follows(clock)) return syscall(SYS_clock_gettime, clock, t);
    *t = timespec_of(look(clock));
    return 0;
}
int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    (void)zone;
    int64_t now = look(CLOCK_REALTIME);
    *t = (struct timeval){now / SECOND, now % SECOND / 1000};
    return 0;
}
time_t time(time_t *t) {
    time_t now = look(CLOCK_REALTIME) / SECOND;
    if (t) *t = now;
    return now;
}

/* Sleeps. */
int nanosleep(const struct timespec *t, struct timespec *left) {
    (void)left;
    wait_until(page->now + nanoseconds(t));
    return 0;
}
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t, struct timespec *left) {
    (void)left;
    wait_until(flags & TIMER_ABSTIME ? nanoseconds(t) - base(clock) : page->now + nanoseconds(t));
    return 0;
}
int usleep(useconds_t t) {
    wait_until(page->now + t * 1000LL);
    return 0;
}
unsigned sleep(unsigned t) {
    wait_until(page->now + t * SECOND);
    return 0;
}

/* Waits for something, or for time to pass: in slices, none of which has a limit of game time. */
#define SLICED(result, until, call)                        \
    do {                                                   \
        int presenter = is_presenter();                    \
        for (;;) {                                         \
            result = (call);                               \
            if (result != 0 || page->now >= (until)) break; \
            if (presenter) page->waiting = 1;              \
        }                                                  \
        if (presenter) page->waiting = 0;                  \
    } while (0)

int poll(struct pollfd *files, nfds_t count, int timeout) {
    struct timespec slice = timespec_of(SLICE);
    if (timeout == 0) return syscall(SYS_ppoll, files, count, &(struct timespec){0, 0}, NULL, 0);
    int64_t until = timeout < 0 ? INT64_MAX : page->now + timeout * 1000000LL;
    int ready;
    SLICED(ready, until, (slice = timespec_of(SLICE), syscall(SYS_ppoll, files, count, &slice, NULL, 0)));
    return ready;
}
int select(int count, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout) {
    struct timespec slice;
    if (!timeout) return syscall(SYS_pselect6, count, r, w, e, NULL, NULL);
    int64_t until = page->now + timeout->tv_sec * SECOND + timeout->tv_usec * 1000LL;
    fd_set none, asked[3];
    FD_ZERO(&none);
    asked[0] = r ? *r : none, asked[1] = w ? *w : none, asked[2] = e ? *e : none;
    int64_t length = until > page->now ? SLICE : 0;
    int ready;
    SLICED(ready, until, (slice = timespec_of(length), r ? *r = asked[0] : none, w ? *w = asked[1] : none,
                          e ? *e = asked[2] : none, syscall(SYS_pselect6, count, r, w, e, &slice, NULL)));
    return ready;
}
int epoll_wait(int file, struct epoll_event *events, int most, int timeout) {
    if (timeout <= 0) return syscall(SYS_epoll_pwait, file, events, most, timeout, NULL, 0);
    int64_t until = page->now + timeout * 1000000LL;
    int ready;
    SLICED(ready, until, syscall(SYS_epoll_pwait, file, events, most, 1, NULL, 0));
    return ready;
}

static struct timespec soon(clockid_t clock) {
    struct timespec t;
    syscall(SYS_clock_gettime, clock, &t);
    return timespec_of(nanoseconds(&t) + SLICE);
}
/* A condition may be woken without cause, so a slice that ends is given to the caller as such, who looks and waits again. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict t) {
    static int (*wait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!wait) wait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    /* Which clock the condition goes by is not told: the calendar's times are far from the other's. */
    int64_t until = nanoseconds(t) - (nanoseconds(t) > EPOCH * SECOND / 2 ? EPOCH : 1000) * SECOND;
    if (page->now >= until) return ETIMEDOUT;
    if (is_presenter()) page->waiting = 1;
    struct timespec slice = soon(CLOCK_MONOTONIC);
    int result = wait(condition, mutex, CLOCK_MONOTONIC, &slice);
    if (is_presenter()) page->waiting = 0;
    return result == ETIMEDOUT && page->now < until ? 0 : result;
}
int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t clock, const struct timespec *restrict t) {
    (void)clock;
    return pthread_cond_timedwait(condition, mutex, t);
}
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict t) {
    int64_t until = nanoseconds(t) - EPOCH * SECOND;
    while (sem_trywait(semaphore)) {
        if (!wait_slice(until)) return errno = ETIMEDOUT, -1;
    }
    return 0;
}

/* Pictures: after each the game is held until the next is wanted. */
static void picture_shown(void) {
    shows = 1;
    page->looks = 0;
    page->shown++;
    while (page->wanted >= 0 && page->shown >= page->wanted) real_sleep(SLICE / 4);
}
#define SHOWS_PICTURES(type, name, parameters, arguments) \
    type name parameters {                                \
        static type(*shown_by) parameters;                \
        if (!shown_by) shown_by = dlsym(RTLD_NEXT, #name); \
        if (!shown_by) abort();                           \
        shown_by arguments;                               \
        picture_shown();                                  \
    }
SHOWS_PICTURES(void, SDL_GL_SwapWindow, (void *window), (window))
SHOWS_PICTURES(void, SDL_GL_SwapBuffers, (void), ())
SHOWS_PICTURES(void, SDL_RenderPresent, (void *renderer), (renderer))
SHOWS_PICTURES(void, glutSwapBuffers, (void), ())
SHOWS_PICTURES(void, glfwSwapBuffers, (void *window), (window))
SHOWS_PICTURES(void, al_flip_display, (void), ())
SHOWS_PICTURES(void, _ZN2sf6Window7displayEv, (void *window), (window))
int SDL_Flip(void *screen) {
    static int (*flip)(void *);
    if (!flip) flip = dlsym(RTLD_NEXT, "SDL_Flip");
    int result = flip(screen);
    picture_shown();
    return result;
}
int SDL_UpdateWindowSurface(void *window) {
    static int (*update)(void *);
    if (!update) update = dlsym(RTLD_NEXT, "SDL_UpdateWindowSurface");
    int result = update(window);
    picture_shown();
    return result;
}
