/* Threads of the encoder: they take jobs in order, and a job may wait for what earlier ones have done.
 *
 * What a job finds does not depend on which thread runs it or when, so an encode is the same with any number of threads.
 * Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_TEAM_H
#define LVC_HYBRID_TEAM_H
#include <stdint.h>
#if defined(_WIN32)
#define LVC_THREADS 0
#else
#define LVC_THREADS 1
#include <pthread.h>
#include <sched.h>
#endif

enum { MAX_TEAM = 4 };
typedef void Job(void *context, int worker, int index);
typedef struct Team Team;
typedef struct { Team *team; int number; } Member;
struct Team {
  int threads;               /* with the caller's own, 1 to MAX_TEAM */
  int count, next;           /* of the jobs at hand; `next` is taken atomically */
  Job *job;
  void *context;
#if LVC_THREADS
  int round, working, stopping;
  pthread_t thread[MAX_TEAM];
  Member member[MAX_TEAM];
  pthread_mutex_t lock;
  pthread_cond_t begin, done;
#endif
};

static void take_jobs(Team *t, int worker) {
  for (;;) {
    const int index = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);
    if (index >= t->count) return;
    t->job(t->context, worker, index);
  }
}
/* Waits until *progress is at least `value`. */
static void wait_for(const int32_t *progress, int32_t value) {
  for (int i = 0; __atomic_load_n(progress, __ATOMIC_ACQUIRE) < value; i++) {
#if LVC_THREADS
    if (i > 500) sched_yield();
#endif
  }
}
static void tell(int32_t *progress, int32_t value) { __atomic_store_n(progress, value, __ATOMIC_RELEASE); }

#if LVC_THREADS
static void *work(void *argument) {
  const Member *m = argument;
  Team *t = m->team;
  int seen = 0;
  for (;;) {
    pthread_mutex_lock(&t->lock);
    while (t->round == seen && !t->stopping) pthread_cond_wait(&t->begin, &t->lock);
    seen = t->round;
    const int stop = t->stopping;
    pthread_mutex_unlock(&t->lock);
    if (stop) return NULL;
    take_jobs(t, m->number);
    pthread_mutex_lock(&t->lock);
    if (!--t->working) pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->lock);
  }
}
#endif

/* Begins a team of up to `threads`: of fewer where the system gives no more. */
static void begin_team(Team *t, int threads) {
  t->threads = 1;
#if LVC_THREADS
  t->round = t->working = t->stopping = 0;
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->begin, NULL);
  pthread_cond_init(&t->done, NULL);
  for (int k = 1; k < threads && k < MAX_TEAM; k++) {
    t->member[k] = (Member){t, k};
    if (pthread_create(&t->thread[k], NULL, work, &t->member[k])) break;
    t->threads++;
  }
#else
  (void)threads;
#endif
}
/* Does jobs 0 .. count - 1 and returns when all are done. */
static void run_jobs(Team *t, Job *job, void *context, int count) {
  t->job = job; t->context = context; t->count = count; t->next = 0;
#if LVC_THREADS
  if (t->threads > 1 && count > 1) {
    pthread_mutex_lock(&t->lock);
    t->working = t->threads - 1;
    t->round++;
    pthread_cond_broadcast(&t->begin);
    pthread_mutex_unlock(&t->lock);
    take_jobs(t, 0);
    pthread_mutex_lock(&t->lock);
    while (t->working) pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
    return;
  }
#endif
  take_jobs(t, 0);
}
static void end_team(Team *t) {
#if LVC_THREADS
  pthread_mutex_lock(&t->lock);
  t->stopping = 1;
  pthread_cond_broadcast(&t->begin);
  pthread_mutex_unlock(&t->lock);
  for (int k = 1; k < t->threads; k++) pthread_join(t->thread[k], NULL);
  pthread_cond_destroy(&t->done);
  pthread_cond_destroy(&t->begin);
  pthread_mutex_destroy(&t->lock);
#endif
  t->threads = 1;
}
#endif
