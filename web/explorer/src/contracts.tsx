import { Ago, Badge, Id, Table, type VerifiedContract } from '@aitbc/shared'
import { Paged } from './paged.js'

/** Contracts whose source was shown. */
export function Contracts() {
  return (
    <>
      <h1>Contracts</h1>
      <Paged<VerifiedContract> title="Verified contracts" path="/api/contracts" empty="Nobody has shown a contract’s source yet: open the contract’s address, and choose Verify.">
        {(rows) => (
          <>
            <p><small>Names are what each contract’s maker wrote: go by the address.</small></p>
            <Table name="Verified contracts" rows={rows} id={(c) => c.address} columns={[
              { name: 'Contract', of: (c) => <Id of={c.address} to={`/address/${c.address}`} /> },
              { name: 'Name', of: (c) => <><bdi>{c.name}</bdi><br /><small><bdi>{c.path}</bdi></small></> },
              { name: 'Source', of: (c) => (c.match === 'full' ? <Badge kind="good">✓ verified</Badge> : <Badge kind="warn">✓ same code</Badge>) },
              { name: 'Compiler', of: (c) => c.compiler },
              { name: 'Shown', of: (c) => (c.time ? <Ago at={c.time} /> : '') },
            ]} />
          </>
        )}
      </Paged>
    </>
  )
}
