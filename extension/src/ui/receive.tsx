// The address of an account, for who sends to it.
import encodeQR from 'qr'
import { aitbc1 } from '../intent/address.js'
import { Copy, Title, useWallet } from './parts.js'

function Picture({ of }: { of: string }) {
  const rows = encodeQR(of, 'raw', { ecc: 'medium', border: 2 })
  const path = rows.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : []))).join('')
  return (
    <svg className="qr" viewBox={`0 0 ${rows.length} ${rows.length}`} role="img" aria-label={`QR code of ${of}`} shapeRendering="crispEdges">
      <path fill="#fff" d={`M0 0h${rows.length}v${rows.length}H0z`} />
      <path fill="#000" d={path} />
    </svg>
  )
}

export function Receive() {
  const { status } = useWallet()
  const me = status.account!
  return (
    <>
      <Title back="#/">Receive on {me.name}</Title>
      <Picture of={me.address} />
      <p><span className="soft">Address</span><br /><span className="id whole">{me.address}</span><Copy text={me.address} what="the address" /></p>
      <p><span className="soft">Also spelled</span><br /><span className="id whole">{aitbc1(me.address)}</span><Copy text={aitbc1(me.address)} what="the other spelling" /></p>
      <p className="soft">Only coins of {status.network.name}{status.network.chainId !== null && ` (chain ${status.network.chainId})`} arrive here.</p>
    </>
  )
}
