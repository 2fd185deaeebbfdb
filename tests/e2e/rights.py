# SPDX-License-Identifier: MIT
"""Who may do what, restated from the table in canceld.proto: the second opinion that test_rights.py
compares the daemon with. Nothing here is taken from the daemon's own table."""
import itertools
import os
import pickle
import traceback

from wire import (Peer, Session, adopt, armed, cancel, cancel_label, cancel_namespace, cancel_owner, count,
                  delete, detach, disarm, drain, get, history, page, pb, poll, store, touch, undrain, wait, watch)

ROLES = ("owner", "canceller", "reader", "admin")
ROLE_SETS = [roles for size in range(5) for roles in itertools.combinations(ROLES, size)]
NO_SESSION = 1 << 40  # one that there is not
EARLIER = 1 << 40       # a gen before the first one of the first epoch
# The namespaces a right is asked for in: its own, one that others use, one that there is not.
SPACES = (b"own", b"other", b"unknown")
HOME = b"home"  # where everybody may read, so that a session can be opened

ANYBODY = None
ONE_OF = ("owner", "canceller", "reader")


class Kind:
    """A kind of request: who may ask it, and how it is asked for of a key and gen in a namespace."""

    def __init__(self, name, roles, make, needs_session=False, is_daemons=False):
        self.name, self.make = name, make
        self.roles = None if roles is ANYBODY else {*roles, "admin"}
        self.needs_session, self.is_daemons = needs_session, is_daemons

    def is_allowed(self, roles):
        return self.roles is None or bool(self.roles & set(roles))


def keyed(name, roles, make, **how):
    return Kind(name, roles, lambda key, gen, ns: make(key, gen, namespace=ns), **how)


def plain(name, roles, make, **how):
    return Kind(name, roles, lambda key, gen, ns: make(namespace=ns), **how)


OWNERS = {"needs_session": True}
KINDS = [
    Kind("open", ONE_OF, lambda key, gen, ns: pb.Op(open=pb.Open(namespace=ns))),
    Kind("store", ["owner"], lambda key, gen, ns: store(key, namespace=ns), **OWNERS),
    keyed("adopt", ["owner"], lambda key, gen, namespace: adopt(
        key, EARLIER, namespace=namespace, ttl_ms=60000), **OWNERS),
    keyed("touch", ["owner"], lambda key, gen, namespace: touch(key, gen, 5000, namespace=namespace), **OWNERS),
    keyed("detach", ["owner"], detach, **OWNERS),
    keyed("get", ONE_OF, get),
    keyed("wait", ONE_OF, wait),
    plain("list", ["reader"], page),
    plain("count", ["reader"], count),
    plain("watch", ["reader"], watch),
    plain("armed", ["reader"], armed),
    plain("history", ["reader"], history),
    keyed("cancel", ["canceller"], lambda key, gen, namespace: cancel(key, namespace=namespace)),
    keyed("cancel gen", ["canceller"], lambda key, gen, namespace: cancel(key, gen, namespace=namespace)),
    keyed("cancel stopped", ["canceller"], lambda key, gen, namespace: cancel(
        key, gen, namespace=namespace, level=pb.LEVEL_STOPPED)),
    keyed("arm", ["canceller"], lambda key, gen, namespace: cancel(key, namespace=namespace, arm_ttl_ms=100)),
    plain("cancel label", ["canceller"], lambda namespace: cancel_label(b"L", namespace=namespace)),
    plain("cancel owner", ["canceller"], lambda namespace: cancel_owner(NO_SESSION, namespace=namespace)),
    plain("cancel namespace", ["canceller"], lambda namespace: cancel_namespace(namespace)),
    Kind("disarm", ["canceller"], lambda key, gen, ns: disarm(key, namespace=ns)),
    keyed("delete", ["owner"], delete, **OWNERS),
    plain("drain", [], drain),
    plain("drain session", [], lambda namespace: drain(namespace=namespace, owner=NO_SESSION)),
    plain("undrain session", [], lambda namespace: undrain(namespace=namespace, owner=NO_SESSION)),
    plain("undrain", [], undrain),
    Kind("drain daemon", [], lambda key, gen, ns: drain(daemon=True), is_daemons=True),
    Kind("undrain daemon", [], lambda key, gen, ns: undrain(daemon=True), is_daemons=True),
    Kind("ping", ANYBODY, lambda key, gen, ns: pb.Op(ping=pb.Ping())),
    Kind("stats", ANYBODY, lambda key, gen, ns: pb.Op(stats=pb.Stats())),
    Kind("poll", ANYBODY, lambda key, gen, ns: poll(), **OWNERS),
]


class Who:
    """Somebody with roles in some namespaces: how he comes, and what he is called there."""

    def __init__(self, name, url, roles, spaces=(b"own",), token=b"", uid=None, source=None):
        self.name, self.url, self.token, self.uid, self.source = name, url, token, uid, source
        self.roles, self.spaces = roles, spaces

    def roles_in(self, space):
        return self.roles if space in self.spaces or b"*" in self.spaces else ()

    def is_allowed(self, kind, space):
        return kind.is_allowed(self.roles_in(b"*" if kind.is_daemons else space))

    def rules(self):
        """His lines of the configuration."""
        some = f'{{ who = "{self.name}"; namespace = "{HOME.decode()}"; roles = "reader"; }}'
        if not self.roles:
            return [some]
        spaces = ", ".join(f'"{space.decode()}"' for space in self.spaces)
        roles = ", ".join(f'"{role}"' for role in self.roles)
        return [some, f'{{ who = "{self.name}"; namespace = [{spaces}]; roles = [{roles}]; }}']


def ask_all(who, gens):
    """Asks for each kind in each namespace, for a key that there is and for one that there is not: gives
    {(kind, namespace): both (answer, bytes of the result)}. Who shows a token does it in a session."""
    session = Session(who.url, Peer(who.url, source=who.source), namespace=HOME, token=who.token)
    answers = {}
    for kind in KINDS:
        for space in SPACES:
            ops = [kind.make(b"there", gens.get(space, EARLIER), space), kind.make(b"not there", EARLIER, space)]
            if kind.name == "open":
                for op in ops:
                    op.open.token = who.token
            asker = session if kind.name != "open" and (who.token or kind.needs_session) else session.peer
            results = [asker.op(op) for op in ops]
            answers[kind.name, space] = [(result.answer, result.SerializeToString()) for result in results]
    session.close()
    return answers


def ask_as(who, gens):
    """The same from a child of his uid."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(who.uid)
            os.setuid(who.uid)
            with os.fdopen(sink, "wb") as out:
                pickle.dump(ask_all(who, gens), out)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(sink)
    with os.fdopen(source, "rb") as answers:
        data = answers.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child of uid {who.uid} ended with {status}"
    return pickle.loads(data)
