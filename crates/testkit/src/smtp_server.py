# This file's job is to take mails over SMTP for a test: it prints its port, then writes each mail into a folder.
import argparse
import asyncio
import os

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--refuse-first", type=int, default=0)
parser.add_argument("--user")
parser.add_argument("--password")
arguments = parser.parse_args()


class Handler:
    taken = 0
    refused = 0

    async def handle_DATA(self, server, session, envelope):
        if self.refused < arguments.refuse_first:
            self.refused += 1
            return "451 4.3.0 come again"
        self.taken += 1
        path = os.path.join(arguments.folder, f"{self.taken:05}.eml")
        with open(path + ".part", "wb") as file:
            file.write(envelope.content)
        os.rename(path + ".part", path)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    login = (getattr(data, "login", b""), getattr(data, "password", b""))
    wanted = (arguments.user.encode(), arguments.password.encode())
    return AuthResult(success=login == wanted, handled=False)


options = {"auth_required": True, "auth_require_tls": False, "authenticator": authenticate} if arguments.user else {}


async def serve():
    handler = Handler()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", **options), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve())
