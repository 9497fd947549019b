// hone as real processes.

import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const binary = process.env.HONE_BIN ?? path.join(root, "target/debug/hone");

/** Starts hone with these arguments; resolves when it listens. */
export function start(...args) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let seen = "";
    const read = (data) => {
      seen += data;
      const found = /(?:listening|simulated provider).*?(127\.0\.0\.1:\d+)/.exec(seen);
      if (found) resolve({ child, address: found[1] });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", () => reject(new Error(`hone ${args.join(" ")} ended before it listened: ${seen}`)));
  });
}
