export * from "./account-signer";
export * from "./answer-request";
export * from "./key-file";
export { type KeyMaterial, parseKeyMaterial, parseMnemonic, parsePrivateKey, signerFromMaterial } from "./key-material";
export * from "./open-signer";
export { passwordFromCommand } from "./signer-command";
export * from "./signer-protocol";
