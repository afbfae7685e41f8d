/** What rclnodejs needs of a message type to send and receive its bytes: the names of its C type support. */
export interface TypeSupportClass {
  type(): { readonly pkgName: string; readonly subFolder: string; readonly interfaceName: string };
}

/**
 * The class for creating a publisher or a raw subscription, without generated JavaScript.
 * @param name such as `std_msgs/msg/String`.
 */
export function typeSupportClass(name: string): TypeSupportClass {
  const [pkgName, subFolder, interfaceName] = name.split('/') as [string, string, string];
  // rclnodejs recognises types because they are functions.
  return class {
    static type() {
      return { pkgName, subFolder, interfaceName };
    }
  };
}
