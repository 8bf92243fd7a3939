// Get a token that is bound to a key and use it at a protected resource, both with openid-client, which repeats a request
// with the nonce that is demanded. Prints what the token says of itself; the environment names issuer, client and key.
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CALLER_ID, CALLER_SECRET, RESOURCE, ALG } = process.env
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }

const keys = await client.randomDPoPKeyPair(ALG)
const machine = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET), options)
const caller = await client.discovery(new URL(ISSUER), CALLER_ID, undefined, client.ClientSecretBasic(CALLER_SECRET), options)
const DPoP = client.getDPoPHandle(machine, keys)
const granted = await client.clientCredentialsGrant(machine, { scope: 'orders:read' }, { DPoP })
const token = granted.access_token
const statuses = []
for (let count = 0; count < 2; count++) {
  const url = new URL(`${RESOURCE}?page=${count}`)
  statuses.push((await client.fetchProtectedResource(machine, token, url, 'GET', undefined, undefined, { DPoP })).status)
}
const stolen = await fetch(RESOURCE, { headers: { authorization: `Bearer ${token}` } })
const answer = await client.tokenIntrospection(caller, token)
console.log(
  JSON.stringify({
    type: granted.token_type,
    statuses,
    stolen: stolen.status,
    bound: answer.cnf.jkt === (await DPoP.calculateThumbprint()),
    introspected: answer.token_type,
    algorithms: machine.serverMetadata().dpop_signing_alg_values_supported.includes(ALG),
  }),
)
