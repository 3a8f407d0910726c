// A solc command line in front of solc-js, as much of it as forge uses.
import { readFileSync } from "node:fs";
import solc from "solc";

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else {
  const missing = (path) => ({ error: `${path} is not in the input` });
  process.stdout.write(solc.compile(readFileSync(0, "utf8"), { import: missing }));
}
