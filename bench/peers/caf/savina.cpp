// SPDX-License-Identifier: MIT
// The programs of bench/savina/savina.h for the C++ Actor Framework 0.17 (Debian: libcaf-dev):
//   g++ -std=c++17 -O2 -DNDEBUG savina.cpp -o savina_caf -lcaf_core -lpthread
//   savina_caf --threads 1 --runs 5 --peer caf
// A line of JSON a program. Sizes, keys and what counts as an op are the same. All actors are event-based;
// an ask is request(), with "await" where the actor may take nothing else meanwhile, else "then".
#include <caf/all.hpp>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

using namespace caf;

using increment_atom = atom_constant<atom("increment")>;
using retrieve_atom = atom_constant<atom("retrieve")>;
using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;
using go_atom = atom_constant<atom("go")>;
using done_atom = atom_constant<atom("done")>;
using read_atom = atom_constant<atom("read")>;
using write_atom = atom_constant<atom("write")>;
using credit_atom = atom_constant<atom("credit")>;
using debit_atom = atom_constant<atom("debit")>;
using stop_atom = atom_constant<atom("stop")>;
using question_atom = atom_constant<atom("question")>;

namespace {

constexpr uint64_t keys_count = 65536;
constexpr int workers_count = 20;
constexpr int accounts_count = 1000;

std::vector<std::string> keys;

uint64_t next_random(uint64_t &state)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t now_ns()
{
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
}

// Spawns what `make` spawns and waits until one of them sends (done_atom) to the actor that it is given.
uint64_t timed(actor_system &system, const std::function<void(scoped_actor &)> &make)
{
    scoped_actor self{system};
    const uint64_t begin = now_ns();
    make(self);
    self->receive([](done_atom) {});
    return now_ns() - begin;
}

// ---- count ----

behavior counter(event_based_actor *self)
{
    auto value = std::make_shared<uint64_t>(0);
    return {[=](increment_atom, uint64_t by) { *value += by; },
            [=](retrieve_atom, const actor &to) {
                self->send(to, done_atom::value);
                self->quit();
            }};
}

void producer(event_based_actor *self, const actor &to, uint64_t size, const actor &parent)
{
    for (uint64_t i = 0; i < size; i++) {
        self->send(to, increment_atom::value, uint64_t{1});
    }
    self->send(to, retrieve_atom::value, parent);
}

uint64_t count(actor_system &system, uint64_t size, uint64_t)
{
    return timed(system, [&](scoped_actor &self) {
        auto to = system.spawn(counter);
        system.spawn(producer, to, size, actor_cast<actor>(self));
    });
}

// ---- pingpong ----

behavior ping(event_based_actor *self, const actor &pong, uint64_t size, const actor &parent)
{
    auto left = std::make_shared<uint64_t>(size);
    self->send(pong, ping_atom::value, actor_cast<actor>(self));
    return {[=](pong_atom) {
        if (--*left == 0) {
            self->send(pong, stop_atom::value);
            self->send(parent, done_atom::value);
            self->quit();
        } else {
            self->send(pong, ping_atom::value, actor_cast<actor>(self));
        }
    }};
}

behavior pong(event_based_actor *self)
{
    return {[=](ping_atom, const actor &from) { self->send(from, pong_atom::value); },
            [=](stop_atom) { self->quit(); }};
}

uint64_t pingpong(actor_system &system, uint64_t size, uint64_t)
{
    return timed(system, [&](scoped_actor &self) {
        auto to = system.spawn(pong);
        system.spawn(ping, to, size, actor_cast<actor>(self));
    });
}

// ---- cdict-20 ----

behavior dictionary(event_based_actor *self)
{
    auto map = std::make_shared<std::unordered_map<std::string, uint64_t>>();
    map->reserve(keys_count);
    return {[=](read_atom, const std::string &key) -> uint64_t {
                auto found = map->find(key);
                return found == map->end() ? 0 : found->second;
            },
            [=](write_atom, const std::string &key, uint64_t value) -> uint64_t {
                (*map)[key] = value;
                return value;
            },
            [=](stop_atom) { self->quit(); }};
}

struct worker_state {
    uint64_t left = 0;
    uint64_t random = 0;
};

void work(stateful_actor<worker_state> *self, const actor &to, const actor &parent)
{
    auto &state = self->state;
    if (state.left-- == 0) {
        self->send(parent, done_atom::value);
        self->quit();
        return;
    }
    const uint64_t random = next_random(state.random);
    const std::string &key = keys[(random >> 32) % keys_count];
    const auto answered = [=](uint64_t) { work(self, to, parent); };
    if (random % 100 < 10) {
        self->request(to, infinite, write_atom::value, key, random >> 16).then(answered);
    } else {
        self->request(to, infinite, read_atom::value, key).then(answered);
    }
}

behavior worker(stateful_actor<worker_state> *self, const actor &to, uint64_t size, uint64_t seed,
                const actor &parent)
{
    self->state.left = size;
    self->state.random = seed;
    work(self, to, parent);
    return {[](stop_atom) {}};
}

uint64_t cdict(actor_system &system, uint64_t size, uint64_t seed)
{
    scoped_actor self{system};
    const uint64_t begin = now_ns();
    auto to = system.spawn(dictionary);
    for (int i = 0; i < workers_count; i++) {
        system.spawn(worker, to, size, seed + static_cast<uint64_t>(i), actor_cast<actor>(self));
    }
    for (int i = 0; i < workers_count; i++) {
        self->receive([](done_atom) {});
    }
    const uint64_t ns = now_ns() - begin;
    self->send(to, stop_atom::value);
    return ns;
}

// ---- banking ----

behavior account(event_based_actor *self)
{
    auto balance = std::make_shared<double>(1e6);
    return {[=](credit_atom, double amount, const actor &destination) -> result<done_atom> {
                auto promise = self->make_response_promise<done_atom>();
                *balance -= amount;
                self->request(destination, infinite, debit_atom::value, amount)
                    .await([=](done_atom) mutable { promise.deliver(done_atom::value); });
                return promise;
            },
            [=](debit_atom, double amount) -> done_atom {
                *balance += amount;
                return done_atom::value;
            },
            [=](stop_atom) { self->quit(); }};
}

behavior teller(event_based_actor *self, const std::vector<actor> &accounts, uint64_t size,
                uint64_t seed, const actor &parent)
{
    auto left = std::make_shared<uint64_t>(size);
    for (uint64_t i = 0; i < size; i++) {
        const uint64_t random = next_random(seed);
        const uint64_t source = random % (accounts_count / 10 * 8);
        uint64_t destination = source + (random >> 32) % (accounts_count - source);
        destination += destination == source;
        self->send(accounts[source], credit_atom::value, static_cast<double>(random >> 54),
                   accounts[destination]);
    }
    return {[=](done_atom) {
        if (--*left == 0) {
            self->send(parent, done_atom::value);
            self->quit();
        }
    }};
}

uint64_t banking(actor_system &system, uint64_t size, uint64_t seed)
{
    std::vector<actor> accounts;
    const uint64_t ns = timed(system, [&](scoped_actor &self) {
        for (int i = 0; i < accounts_count; i++) {
            accounts.push_back(system.spawn(account));
        }
        system.spawn(teller, accounts, size, seed, actor_cast<actor>(self));
    });
    for (auto &each : accounts) {
        anon_send(each, stop_atom::value);
    }
    return ns;
}

// ---- ask ----

behavior answerer(event_based_actor *self)
{
    return {[](question_atom) -> done_atom { return done_atom::value; },
            [=](stop_atom) { self->quit(); }};
}

template <class Timeout>
void ask_next(stateful_actor<worker_state> *self, const actor &to, const actor &parent, Timeout timeout)
{
    if (self->state.left-- == 0) {
        self->send(parent, done_atom::value);
        self->send(to, stop_atom::value);
        self->quit();
        return;
    }
    self->request(to, timeout, question_atom::value).then([=](done_atom) {
        ask_next(self, to, parent, timeout);
    });
}

template <class Timeout>
uint64_t asks(actor_system &system, uint64_t size, Timeout timeout)
{
    return timed(system, [&](scoped_actor &self) {
        auto to = system.spawn(answerer);
        auto parent = actor_cast<actor>(self);
        system.spawn([=](stateful_actor<worker_state> *asker) -> behavior {
            asker->state.left = size;
            ask_next(asker, to, parent, timeout);
            return {[](stop_atom) {}};
        });
    });
}

uint64_t ask(actor_system &system, uint64_t size, uint64_t)
{
    return asks(system, size, infinite);
}

uint64_t ask_deadline(actor_system &system, uint64_t size, uint64_t)
{
    return asks(system, size, std::chrono::seconds(5));
}

// ---- the whole ----

struct program {
    const char *row;
    uint64_t (*run)(actor_system &, uint64_t size, uint64_t seed);
    uint64_t size;
    uint64_t each;
};

const program programs[] = {
    {"count", count, 1000000, 1},
    {"pingpong", pingpong, 40000, 2},
    {"pingpong-300k", pingpong, 300000, 2},
    {"cdict-20", cdict, 10000, workers_count},
    {"banking", banking, 50000, 1},
    {"ask", ask, 100000, 1},
    {"ask-deadline", ask_deadline, 100000, 1},
};

struct options {
    size_t threads = 1;
    int runs = 5;
    uint64_t seed = 1;
    std::string peer = "caf";
    std::string only;
};

options read_options(int argc, char **argv)
{
    options read;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        const char *value = argv[i + 1];
        if (name == "--threads") {
            read.threads = std::strtoul(value, nullptr, 10);
        } else if (name == "--runs") {
            read.runs = std::atoi(value);
        } else if (name == "--seed") {
            read.seed = std::strtoull(value, nullptr, 10);
        } else if (name == "--peer") {
            read.peer = value;
        } else if (name == "--only") {
            read.only = value;
        }
    }
    return read;
}

void measure(actor_system &system, const program &program, const options &options)
{
    std::fprintf(stderr, "%s %s\n", options.peer.c_str(), program.row);
    std::vector<double> times;
    for (int run = -2; run < options.runs; run++) {
        const auto seed = options.seed + static_cast<uint64_t>(run + 2);
        const auto ns = static_cast<double>(program.run(system, program.size, seed));
        if (run >= 0) {
            times.push_back(ns / static_cast<double>(program.size * program.each));
        }
    }
    std::sort(times.begin(), times.end());
    std::printf("{\"group\": \"actor\", \"row\": \"%s\", \"peer\": \"%s\", \"unit\": \"ns/op\", \"value\": %.3f, "
                "\"median\": %.1f, \"runs\": %d}\n",
                program.row, options.peer.c_str(), times.front(), times[times.size() / 2], options.runs);
    std::fflush(stdout);
}

} // namespace

int main(int argc, char **argv)
{
    const options options = read_options(argc, argv);
    for (uint64_t i = 0; i < keys_count; i++) {
        char text[40];
        std::snprintf(text, sizeof text, "operation-%022" PRIu64, i);
        keys.emplace_back(text);
    }
    actor_system_config config;
    config.set("scheduler.max-threads", options.threads);
    actor_system system{config};
    for (const auto &program : programs) {
        if (options.only.empty() || std::strstr(program.row, options.only.c_str()) != nullptr) {
            measure(system, program, options);
        }
    }
    return 0;
}
