"""A server on loopback with a token, whose kernels are numbered and whose sockets are counted."""

import itertools
import os
from collections import Counter

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

counts: Counter[str] = Counter()


class NumberedKernels(AsyncMappingKernelManager):
    numbers = itertools.count()

    def new_kernel_id(self, **kwargs) -> str:
        return f"kernel-of-all-clients-{next(self.numbers)}"


class CountedSocket(ZMQChannelsWebsocketConnection):
    def connect(self):
        counts["opened"] += 1
        return super().connect()

    def handle_incoming_message(self, incoming_msg):
        counts["taken"] += 1
        return super().handle_incoming_message(incoming_msg)

    def _on_zmq_reply(self, stream, msg_list):
        counts.update(said=1, frames=1)
        return super()._on_zmq_reply(stream, msg_list)


c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = int(os.environ["PORT"])
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.kernel_manager_class = NumberedKernels
c.ServerApp.kernel_websocket_connection_class = CountedSocket
c.IdentityProvider.token = os.environ["PASSWORD"]
# What one kernel may say to all that listen; the usual limit is of a person's notebook.
c.ZMQChannelsWebsocketConnection.limit_rate = False
