/* SPDX-License-Identifier: MIT */
/* A DOWN must come after all that its target told before its end, and must be possible to take back
 * until it is delivered. A record in the mailbox could not be taken back, so downs stand in a list
 * of the loop, and a fence, one control message of the loop's own, goes through the mailbox in
 * their place: when it comes out, everything told before it has been delivered. Downs queued while
 * a fence is under way wait for the next one. */
#include "actor/address.h"
#include "actor/loop.h"

static void send_fence(struct actor_loop *loop)
{
    for (struct list_link *link = list_first(&loop->downs); link != NULL;
         link = list_first(&loop->downs)) {
        list_remove(link);
        list_append(&loop->downs_fenced, link);
    }
    loop->fence_sent = true;
    /* DEAD where the loop ends: then the watchers end too, and take their records back. */
    (void) !mailbox_push(&loop->mailbox, &loop->fence);
}

static void queue_down(struct actor_loop *loop, struct message_down *down)
{
    list_append(&loop->downs, &down->of_target);
    if (!loop->fence_sent) {
        send_fence(loop);
    }
}

void actor_monitor(struct actor *self, uint64_t address, struct message_down *down)
{
    struct actor_loop *loop = self->loop;
    ASSERT(loop_is_here(loop));
    ASSERT(!self->stopping && !list_is_linked(&down->of_target));
    ASSERT(address == ACTOR_NONE || address_loop(address) == loop->index);
    down->address = address;
    down->watcher = self;
    list_append(&self->watching, &down->of_watcher);
    struct actor *target = loop_actor(loop, address);
    if (target == NULL) {
        queue_down(loop, down);
    } else {
        list_append(&target->watchers, &down->of_target);
    }
}

static void take_back(struct message_down *down)
{
    list_remove(&down->of_target);
    list_remove(&down->of_watcher);
}

void actor_demonitor(struct actor *self, struct message_down *down)
{
    ASSERT(loop_is_here(self->loop));
    ASSERT(!list_is_linked(&down->of_target) || down->watcher == self);
    take_back(down);
}

void monitor_clear(struct actor *actor)
{
    for (struct list_link *link = list_first(&actor->watching); link != NULL;
         link = list_first(&actor->watching)) {
        take_back(LIST_OWNER(link, struct message_down, of_watcher));
    }
}

void monitor_notify(struct actor *actor)
{
    for (struct list_link *link = list_first(&actor->watchers); link != NULL;
         link = list_first(&actor->watchers)) {
        list_remove(link);
        queue_down(actor->loop, LIST_OWNER(link, struct message_down, of_target));
    }
}

static void deliver_down(struct actor_loop *loop, struct message_down *down)
{
    struct actor *watcher = down->watcher;
    take_back(down);
    down->message.kind = MESSAGE_DOWN;
    down->message.to = watcher->address;
    down->message.promise = NULL;
    stats_add(&loop->stats.delivered, 1);
    loop->handling = true;
    watcher->class->on_message(watcher, &down->message);
    loop_reap(loop);
}

void monitor_fence(struct actor_loop *loop)
{
    for (struct list_link *link = list_first(&loop->downs_fenced); link != NULL;
         link = list_first(&loop->downs_fenced)) {
        deliver_down(loop, LIST_OWNER(link, struct message_down, of_target));
    }
    loop->fence_sent = false;
    if (list_first(&loop->downs) != NULL) {
        send_fence(loop);
    }
}
