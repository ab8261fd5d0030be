import { BlockList, isIP } from 'node:net';

// A pod's address never is one of these: what stands in such a pod's status would point the reconciler at itself, at the node, or at
// a cloud's metadata service.
const SUBNETS = [
  // Unspecified and "this network": RFC 1122, 3.2.1.3. Linux takes 0.0.0.0 for itself.
  ['0.0.0.0', 8],
  ['::', 128],
  // Loopback: RFC 1122, RFC 4291
  ['127.0.0.0', 8],
  ['::1', 128],
  // Link-local, where metadata services are: RFC 3927, RFC 4291
  ['169.254.0.0', 16],
  ['fe80::', 10],
  // AWS' metadata service by IPv6: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html
  ['fd00:ec2::254', 128],
  // Multicast, reserved and broadcast: RFC 5771, RFC 1112, RFC 4291
  ['224.0.0.0', 3],
  ['ff00::', 8],
  // IPv6 addresses that stand for IPv4 ones: RFC 6052, RFC 3056. Those of RFC 4291 (::ffff:) are looked up as IPv4 by BlockList.
  ['64:ff9b::', 96],
  ['2002::', 16],
] as const;

/**
 * Returns what says whether an address must not be asked: loopback, link-local, unspecified, multicast, no address at all, or one of
 * those given, such as the nodes' and the API server's.
 */
export function refusedAddresses(further: Iterable<string> = []): (address: string) => boolean {
  const refused = new BlockList();
  for (const [network, prefix] of SUBNETS) refused.addSubnet(network, prefix, familyOf(network));
  for (const address of further) if (isIP(address) !== 0) refused.addAddress(address, familyOf(address));
  return (address) => isIP(address) === 0 || address.includes('%') || refused.check(address, familyOf(address));
}

/**
 * Returns the host of a URL, an IPv6 address without brackets; the empty string where it is no URL.
 */
export function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replaceAll(/^\[|\]$/g, '') ?? '';
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
