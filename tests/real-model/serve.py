"""Serves a GGUF model with llama.cpp's own HTTP server, on loopback. Usage: serve.py MODEL PORT"""

import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.port = int(sys.argv[2])
params.hostnames = ["127.0.0.1"]
# A quarter for each slot.
params.n_ctx = 8192
params.n_parallel = 4
# One thread: with more, llama.cpp's threads spin at a barrier when the machine is busy.
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.use_jinja = True
params.cont_batching = True
params.kv_unified = False
server = xllamacpp.Server(params)
print("listening", server.listening_address, flush=True)
signal.pause()
