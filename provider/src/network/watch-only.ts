import { type AccountSigner, SignerFailed, type TenantKey } from "@dcx/protocol";
import type { TenantAccount } from "./exchange/endpoint";

/**
 * Nobody's account: for who looks at an exchange and changes nothing. Whatever needs a key rejects with SignerFailed.
 */
export class WatchOnlyAccount implements TenantAccount {
  readonly signer: AccountSigner = new WatchOnlySigner();

  get tenantKey(): TenantKey {
    throw missing();
  }
}

class WatchOnlySigner implements AccountSigner {
  /** None. */
  readonly address = "";

  get publicKey(): Uint8Array {
    throw missing();
  }

  async getAccounts(): Promise<never> {
    throw missing();
  }

  async signDirect(): Promise<never> {
    throw missing();
  }

  async signAmino(): Promise<never> {
    throw missing();
  }
}

function missing(): SignerFailed {
  return new SignerFailed("No signer is configured, so nothing can be signed or derived from its key.");
}
