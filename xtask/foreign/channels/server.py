"""The chat room of the Channels tutorial behind Django's own login, on Daphne, with Redis between its sockets."""

import atexit
import json
import os
import sys
from collections import Counter
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=os.environ["SECRET"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    LOGIN_REDIRECT_URL="/",
    INSTALLED_APPS=["daphne", "channels", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3", "OPTIONS": {"timeout": 20}}},
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": ["django.template.context_processors.request"],
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"registration/login.html": '<form method="post">{% csrf_token %}{{ form }}<button>Log in</button></form>'},
                    )
                ],
            },
        }
    ],
    CHANNEL_LAYERS={
        "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [os.environ["REDIS_URL"]]}}
    },
    ASGI_APPLICATION=f"{__name__}.application",
)
django.setup()

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.auth import views
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path, re_path

counts: Counter[str] = Counter()
urlpatterns = [
    path("", lambda request: HttpResponse(str(request.user))),
    path("accounts/login/", views.LoginView.as_view()),
]


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        if not self.scope["user"].is_authenticated:
            await self.close()
            return
        self.room_group_name = f"chat_{self.scope['url_route']['kwargs']['room_name']}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()
        counts["opened"] += 1

    async def disconnect(self, close_code):
        if hasattr(self, "room_group_name"):
            await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data):
        counts["taken"] += 1
        message = json.loads(text_data)["message"]
        await self.channel_layer.group_send(self.room_group_name, {"type": "chat.message", "message": message})

    async def chat_message(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))
        counts.update(said=1, frames=1)


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": AuthMiddlewareStack(URLRouter([re_path(r"ws/chat/(?P<room_name>\w+)/$", ChatConsumer.as_asgi())])),
    }
)


def people() -> None:
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command

    Path("db.sqlite3").unlink(missing_ok=True)
    call_command("migrate", verbosity=0)
    # An audit has hundreds of accounts; a hash of its own for each would take minutes.
    password = make_password(os.environ["PASSWORD"])
    User.objects.bulk_create(User(username=f"user-{number:06}", password=password) for number in range(1, 501))


@atexit.register
def told() -> None:
    with open(os.environ["COUNTS"], "w") as file:
        json.dump(counts, file)


if __name__ == "__main__":
    from daphne.cli import CommandLineInterface

    people()
    open("ready", "w").close()
    sys.modules["server"] = sys.modules["__main__"]
    CommandLineInterface().run(["-b", "127.0.0.1", "-p", os.environ["PORT"], "-v", "0", "server:application"])
