import ignition from "@nomicfoundation/hardhat-ignition";

export default {
  plugins: [ignition],
  solidity: {
    version: "0.8.37",
    path: process.env.SOLJSON,
    settings: { evmVersion: "prague", optimizer: { enabled: true } },
  },
  ignition: { requiredConfirmations: 1, blockPollingInterval: 100 }, // five confirmations would only take time
  networks: {
    devnet: { type: "http", chainType: "l1", url: process.env.DEVNET_URL, accounts: [process.env.DEVNET_KEY] },
  },
};
