// The Market contract, as the SDK has it.
import { reader, type Signing } from '@aitbc/shared/wallet/chain'
import { Market } from '../../../../sdk/ts/src/market.js'

/** The Market contract, with the wallet that pays if there is one. */
export const market = (wallet?: Signing) => new Market(reader, wallet)
