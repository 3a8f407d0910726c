// A solc command line in front of solc-js, as much of it as forge uses. The work is divided: each thread is given all sources and
// asked for the output of some of them. What a thread is not asked for it reads and checks, which is quick, and makes no code
// for, which is not.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import solc from "solc";

// most threads: each has a compiler of its own, which takes a GiB of memory and more.
const most = 4;

const compile = (input) => JSON.parse(solc.compile(JSON.stringify(input), { import: (path) => ({ error: `${path} is not in the input` }) }));

// parts divides the sources into n lists that are about equally long.
function parts(sources, n) {
  const size = ([, { content = "" }]) => content.length;
  const lists = Array.from({ length: n }, () => ({ size: 0, paths: [] }));
  for (const source of Object.entries(sources).sort((a, b) => size(b) - size(a))) {
    const least = lists.reduce((a, b) => (b.size < a.size ? b : a));
    least.size += size(source);
    least.paths.push(source[0]);
  }
  return lists.map(({ paths }) => paths);
}

// wanted asks for what the input asks for, of these sources alone.
function wanted({ settings, ...rest }, paths) {
  const { outputSelection: all = {} } = settings;
  const outputSelection = Object.fromEntries(paths.map((path) => [path, all[path] ?? all["*"] ?? {}]));
  return { ...rest, settings: { ...settings, outputSelection } };
}

function merge(outputs) {
  const errors = new Map(outputs.flatMap(({ errors = [] }) => errors.map((e) => [e.formattedMessage, e])));
  const only = (kind) => Object.assign({}, ...outputs.map((o) => o[kind] ?? {}));
  return { errors: [...errors.values()], sources: only("sources"), contracts: only("contracts") };
}

const inThread = (input) =>
  new Promise((done, failed) => {
    const w = new Worker(new URL(import.meta.url), { workerData: input });
    w.once("message", done).once("error", failed);
  });

if (!isMainThread) {
  parentPort.postMessage(compile(workerData));
} else if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else {
  const input = JSON.parse(readFileSync(0, "utf8"));
  const lists = parts(input.sources, Math.min(availableParallelism(), most)).filter((paths) => paths.length > 0);
  const outputs = await Promise.all(lists.map((paths) => inThread(wanted(input, paths))));
  process.stdout.write(JSON.stringify(merge(outputs)));
}
