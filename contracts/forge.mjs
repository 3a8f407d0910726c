// Runs forge and exits as it does. (The package's own wrapper exits 0 whatever forge found.)
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const cpu = { x64: "amd64", arm64: "arm64" }[process.arch] ?? process.arch;
const forge = createRequire(import.meta.url).resolve(`@foundry-rs/forge-${process.platform}-${cpu}/bin/forge`);
const { status, error } = spawnSync(forge, process.argv.slice(2), { stdio: "inherit" });
if (error) console.error(error.message);
process.exit(status ?? 1);
