"""A mail server that presents pki/A.pem in TLS 1.3 and pki/B.pem to whoever offers no more than TLS 1.2, as a balancer in
front of two machines may. Its address is the argument."""
import socket, socketserver, ssl, sys

VERSIONS, TLS13 = b"\x00\x2b\x00", b"\x03\x04"


def context(name):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"pki/{name}.pem")
    return made


NEW, OLD = context("A"), context("B")


class Session(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self):
        self.wfile.write(b"220 split.interop.test ESMTP\r\n")
        while line := self.rfile.readline(2048):
            word = line.strip().upper()
            if word.startswith(b"EHLO"):
                self.wfile.write(b"250-split.interop.test\r\n250 STARTTLS\r\n")
            elif word == b"STARTTLS":
                self.wfile.write(b"220 go on\r\n")
                return self.secure()
            else:
                return self.wfile.write(b"221 bye\r\n")

    def secure(self):
        hello = self.request.recv(4096, socket.MSG_PEEK)
        at = hello.find(VERSIONS)
        offered = hello[at + 5 : at + 5 + hello[at + 4]] if at > 0 else b""
        try:
            stream = (NEW if TLS13 in offered else OLD).wrap_socket(self.request, server_side=True)
            while line := stream.recv(2048):
                quits = line.strip().upper() == b"QUIT"
                stream.sendall(b"221 bye\r\n" if quits else b"250 split.interop.test\r\n")
                if quits:
                    return
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server((sys.argv[1], 25), Session).serve_forever()
