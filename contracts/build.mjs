// Compiles src/ with solc-js and writes artifacts/. With --check it writes nothing and fails on a difference.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const root = dirname(fileURLToPath(import.meta.url));
const names = [
  "ERC1967Proxy",
  "Faucet",
  "Governor",
  "Market",
  "ReceiptVerifier",
  "Registry",
  "Rewards",
  "Staking",
  "Timelock",
  "Treasury",
  "Upgrades",
];
// A contract that hands calls to another has that one's interface too.
const parts = { Market: ["MarketJobs"], Staking: ["StakingSystem"] };
const settings = {
  evmVersion: "prague",
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
  remappings: ["@openzeppelin/=node_modules/@openzeppelin/"],
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

const walk = (dir) =>
  readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : e.name.endsWith(".sol") ? [join(dir, e.name)] : []));

const files = walk(join(root, "src")).map((f) => relative(root, f));
const sources = Object.fromEntries(files.map((f) => [f, { content: readFileSync(join(root, f), "utf8") }]));

// The Go test computes the same: every source, its name before it, and the compiler's version and settings.
const hash = createHash("sha256");
for (const f of [...files].sort()) hash.update(`${f}\0${sources[f].content}\0`);

const output = JSON.parse(
  solc.compile(JSON.stringify({ language: "Solidity", sources, settings }), {
    import: (path) => ({ contents: readFileSync(join(root, path), "utf8") }),
  }),
);
const ours = (e) => !e.sourceLocation?.file.startsWith("node_modules/");
const problems = (output.errors ?? []).filter((e) => e.severity === "error" || ours(e));
for (const e of problems) console.error(e.formattedMessage);
if (problems.length > 0) process.exit(1);

const contracts = Object.assign({}, ...Object.values(output.contracts));
const abi = (name) => {
  const entries = [name, ...(parts[name] ?? [])].flatMap((n) => contracts[n].abi);
  const own = entries.filter((e) => e.type === "constructor" || e.type === "receive" || e.type === "fallback");
  const rest = entries.filter((e) => !own.includes(e));
  const unique = new Map(rest.map((e) => [JSON.stringify(e), e]));
  return name in parts ? [...unique.values()] : contracts[name].abi;
};
const artifacts = Object.fromEntries(
  names.map((name) => [
    `${name}.json`,
    {
      contractName: name,
      abi: abi(name),
      bytecode: `0x${contracts[name].evm.bytecode.object}`,
      deployedBytecode: `0x${contracts[name].evm.deployedBytecode.object}`,
    },
  ]),
);
artifacts["build.json"] = { compiler: solc.version(), settings, sources: `0x${hash.digest("hex")}` };

const check = process.argv.includes("--check");
let stale = false;
mkdirSync(join(root, "artifacts"), { recursive: true });
for (const [file, value] of Object.entries(artifacts)) {
  const path = join(root, "artifacts", file);
  const text = `${JSON.stringify(value, null, 1)}\n`;
  if (check) {
    let old = "";
    try {
      old = readFileSync(path, "utf8");
    } catch {
      // A missing artefact is a stale one.
    }
    if (old !== text) {
      stale = true;
      console.error(`artifacts/${file} does not match the sources: run npm run build`);
    }
  } else {
    writeFileSync(path, text);
    if (value.deployedBytecode) console.log(`${file} ${(value.deployedBytecode.length - 2) / 2} bytes`);
  }
}
process.exit(stale ? 1 : 0);
