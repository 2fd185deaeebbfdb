/* SPDX-License-Identifier: MIT */
#include "server/sandbox.h"

#include "server/sandbox_calls.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const mode_texts[] = {
#define SANDBOX_MODE_TEXT(name, text) text,
    SANDBOX_MODE_TABLE(SANDBOX_MODE_TEXT)
#undef SANDBOX_MODE_TEXT
};

#define MODES_COUNT (sizeof mode_texts / sizeof mode_texts[0])

const char *sandbox_mode_text(enum sandbox_mode mode)
{
    return mode_texts[mode];
}

bool sandbox_mode_parse(const char *text, enum sandbox_mode *mode_out)
{
    for (size_t i = 0; i < MODES_COUNT; i++) {
        if (strcmp(mode_texts[i], text) == 0) {
            *mode_out = (enum sandbox_mode) i;
            return true;
        }
    }
    return false;
}

void sandbox_prepare(void)
{
    /* Nobody has that name, so each source of names is asked, and thereby loaded. */
    static const char nobody[] = "canceld:nobody";

    (void) getpwnam(nobody);
    (void) getgrnam(nobody);
}

/* ---- the filter, a program for the kernel ----
 *
 * Row after row: is it that number, and are the arguments so? Then it ends with what the row says, else it
 * goes on with the next; behind all rows stands what becomes of any other call. The kernel finds out by
 * itself which numbers are let through whatever their arguments, and runs nothing for those. Written by hand
 * because it needs no memory: libseccomp 2.5.4 takes 1,975 pieces of it for this list, and where one
 * cannot be had it frees some twice, or loses rows and says nothing (decision 0016). */

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#error "which machine is this, in <linux/audit.h>? And does its list hold there?"
#endif

#define INSTRUCTIONS_MAX 1024

#define FIELD(name) ((uint32_t) offsetof(struct seccomp_data, name))

struct filter {
    struct sock_filter instructions[INSTRUCTIONS_MAX];
    unsigned short count;
};

static void filter_add(struct filter *filter, uint16_t code, uint32_t operand)
{
    ASSERT(filter->count < INSTRUCTIONS_MAX);
    filter->instructions[filter->count++] = (struct sock_filter){.code = code, .k = operand};
}

/* Where what was loaded last is not that, `skip` instructions are left out. */
static void filter_need(struct filter *filter, uint32_t wanted, uint8_t skip)
{
    filter_add(filter, BPF_JMP | BPF_JEQ | BPF_K, wanted);
    filter->instructions[filter->count - 1].jf = skip;
}

static void filter_load(struct filter *filter, uint32_t field)
{
    filter_add(filter, BPF_LD | BPF_W | BPF_ABS, field);
}

/* A half of an argument; how far it is to skip is not known yet. */
static void half_add(struct filter *filter, uint32_t field, uint32_t mask, uint32_t value)
{
    if (mask != 0) {
        filter_load(filter, field);
        filter_add(filter, BPF_ALU | BPF_AND | BPF_K, mask);
        filter_need(filter, value & mask, 0);
    }
}

static void condition_add(struct filter *filter, const struct sandbox_condition *condition)
{
    uint64_t value =
        condition->value == SANDBOX_OWN_PROCESS ? (uint64_t) getpid() : condition->value;
    uint32_t field = FIELD(args) + condition->argument * (uint32_t) sizeof(uint64_t);

    /* Both processors have the lower half first. */
    half_add(filter, field, (uint32_t) condition->mask, (uint32_t) value);
    half_add(filter, field + 4, (uint32_t) (condition->mask >> 32), (uint32_t) (value >> 32));
}

static void row_add(struct filter *filter, const struct sandbox_call *call)
{
    unsigned short first = filter->count;

    filter_need(filter, call->number, 0);
    for (size_t i = 0; i < SANDBOX_CONDITIONS_MAX && call->conditions[i].mask != 0; i++) {
        condition_add(filter, &call->conditions[i]);
    }
    filter_add(filter, BPF_RET | BPF_K,
               call->error == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | call->error);
    for (unsigned short i = first; i < filter->count; i++) {
        struct sock_filter *instruction = &filter->instructions[i];

        if (instruction->code == (BPF_JMP | BPF_JEQ | BPF_K)) {
            instruction->jf = (uint8_t) (filter->count - i - 1);
        }
    }
    if (call->conditions[0].mask != 0) {
        filter_load(filter, FIELD(nr));
    }
}

static void filter_fill(struct filter *filter, enum sandbox_mode mode)
{
    filter->count = 0;
    /* A 32-bit program's calls have numbers of their own: they are no better than unknown ones. */
    filter_load(filter, FIELD(arch));
    filter_need(filter, MACHINE, 1);
    filter_add(filter, BPF_JMP | BPF_JA, 1);
    filter_add(filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    filter_load(filter, FIELD(nr));
    for (size_t i = 0; i < sandbox_calls_count; i++) {
        if (sandbox_calls[i].error == 0 || mode == SANDBOX_KILL) {
            row_add(filter, &sandbox_calls[i]);
        }
    }
    filter_add(filter, BPF_RET | BPF_K,
               mode == SANDBOX_KILL ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_LOG);
}

bool sandbox_enter(enum sandbox_mode mode, struct refusal *refusal)
{
    struct filter filter;
    struct sock_fprog program = {.filter = filter.instructions};
    long failure;

    if (mode == SANDBOX_OFF) {
        return true;
    }
    filter_fill(&filter, mode);
    program.len = filter.count;
    /* Without new rights in an exec, nobody needs rights to give himself fewer. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return refuse(refusal, REFUSAL_SYSTEM, "the kernel does not know of no new privileges: %s",
                      strerror(errno));
    }
    failure = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return failure == 0 ||
           refuse(refusal, REFUSAL_SYSTEM,
                  "the filter of system calls cannot be put in place: %s (--seccomp off goes "
                  "without)",
                  failure > 0 ? "a thread has another one" : strerror(errno));
}
