# SPDX-License-Identifier: MIT
"""A link that can be cut: stands between a client and the daemon and passes bytes both ways."""
import os
import socket
import threading

from wire import connect_socket


class Link:
    """`url` is where a client connects. cut() ends what runs over it and refuses more; mend() lets it
    through again. freeze() passes nothing but ends nothing."""

    def __init__(self, target, directory):
        self.target = target
        self.lock = threading.Lock()
        self.sockets = []
        self.cut_off = False
        self.flowing = threading.Event()
        self.flowing.set()
        if target.startswith("ipc://"):
            path = os.path.join(directory, "link")
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.url = f"ipc://{path}"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.url = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.cut_off:
                    client.close()
                    continue
                daemon = connect_socket(self.target)
                daemon.settimeout(None)
                self.sockets += [client, daemon]
            for source, sink in ((client, daemon), (daemon, client)):
                threading.Thread(target=self.pass_on, args=(source, sink), daemon=True).start()

    def pass_on(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                self.flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            self.cut_off = True
            for sock in self.sockets:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                sock.close()
            self.sockets = []

    def mend(self):
        with self.lock:
            self.cut_off = False

    def freeze(self):
        self.flowing.clear()

    def thaw(self):
        self.flowing.set()

    def close(self):
        self.cut()
        self.listener.close()
