// What a program written with viem does with a node: run by the tests of chain/node with the node's addresses and a
// funded key in the environment. It prints what it saw as one JSON value.
import { createPublicClient, createWalletClient, defineChain, getAddress, http, recoverTypedDataAddress, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const { HTTP_URL, WS_URL, PRIVATE_KEY, RECEIVER } = process.env;
const account = privateKeyToAccount(PRIVATE_KEY);
const bare = createPublicClient({ transport: http(HTTP_URL) });
const chain = defineChain({
  id: await bare.getChainId(),
  name: "AITBC",
  nativeCurrency: { name: "AITBC", symbol: "AITBC", decimals: 18 },
  rpcUrls: { default: { http: [HTTP_URL], webSocket: [WS_URL] } },
});
const reader = createPublicClient({ chain, transport: http(), pollingInterval: 50 });
const listener = createPublicClient({ chain, transport: webSocket() });
const wallet = createWalletClient({ account, chain, transport: http() });

// watch collects blocks until it is told to stop.
const watch = (client, poll) => {
  const numbers = [];
  const wanted = [];
  const stop = client.watchBlocks({
    poll,
    emitMissed: poll,
    onError: (e) => {
      console.error(e);
      process.exit(1);
    },
    onBlock: (b) => {
      numbers.push(b.number);
      for (const w of wanted) if (b.number >= w.number) w.resolve();
    },
  });
  const until = (number) =>
    new Promise((resolve) => (numbers.some((n) => n >= number) ? resolve() : wanted.push({ number, resolve })));
  return { numbers, stop, until };
};
const polled = watch(reader, true);
const pushed = watch(listener, false);
const first = await reader.getBlockNumber({ cacheTime: 0 });
await Promise.all([polled.until(first + 1n), pushed.until(first + 1n)]); // both are listening by now

const request = await wallet.prepareTransactionRequest({ to: RECEIVER, value: 5n });
const hash = await wallet.sendRawTransaction({ serializedTransaction: await wallet.signTransaction(request) });
const receipt = await reader.waitForTransactionReceipt({ hash });
await Promise.all([polled.until(receipt.blockNumber), pushed.until(receipt.blockNumber)]);
polled.stop();
pushed.stop();

const typed = {
  domain: { name: "AITBC", version: "1", chainId: chain.id, verifyingContract: getAddress("0x000000000000000000000000000000000000a102") },
  types: { Voucher: [{ name: "session", type: "uint64" }, { name: "through", type: "uint64" }, { name: "cumulative", type: "uint128" }] },
  primaryType: "Voucher",
  message: { session: 1n, through: 2n, cumulative: 3n },
};
const signature = await wallet.signTypedData(typed);
const gapless = (numbers) => numbers.every((n, i) => i === 0 || n === numbers[i - 1] + 1n);
console.log(
  JSON.stringify({
    chain: chain.id,
    type: request.type,
    status: receipt.status,
    block: Number(receipt.blockNumber),
    balance: String(await reader.getBalance({ address: RECEIVER })),
    polled: { count: polled.numbers.length, gapless: gapless(polled.numbers) },
    pushed: { count: pushed.numbers.length, gapless: gapless(pushed.numbers) },
    signature,
    signer: await recoverTypedDataAddress({ ...typed, signature }),
    verified: await reader.verifyTypedData({ ...typed, address: account.address, signature }),
    account: account.address,
  }),
);
process.exit(0); // the socket would keep it alive
