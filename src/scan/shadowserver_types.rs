//! Shadowserver's report types: what their rows are about, and what they mean.
//!
//! Facts from the producer's public schema of 2026-03-24 (report_schema: reports, types, severity levels; where the list
//! of severity levels and the newer list of types differ, the former) and from its report pages. What is ours: the
//! *part*, titles without a final "Report", and short words for the application (`stun`, `epmd`, `netbios-ns`, `couchdb`).
//!
//! The exposed ones of classification `vulnerable-system`, and the infected, attackers and victims, are vulnerable;
//! `device_id` and the population reports of severity info are inventory; sandboxes and block lists are context.
//! `scan_exchange` holds two kinds of rows: see `shadowserver`.

use super::{Kind, Side};

/// A report type.
#[derive(Debug)]
pub(super) struct ReportType {
    /// Its name in file names; the identifier of its rows.
    pub(super) name: &'static str,
    /// What it reports, in words.
    pub(super) title: &'static str,
    /// The last part of its page's address; may be empty.
    page: &'static str,
    pub(super) subject: SubjectColumn,
    part: Part,
    /// Classification by the RSIT taxonomy.
    pub(super) classification: &'static str,
    /// Where the row says none; may be empty.
    pub(super) severity: &'static str,
    /// Likewise.
    pub(super) transport: &'static str,
    /// Likewise.
    pub(super) application: &'static str,
}

/// Which columns the subject of a row is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SubjectColumn {
    Ip,
    SrcIp,
    DstIp,
    RefererIp,
    NoAddress,
}

/// What a row is, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Exposed,
    Infected,
    Attacker,
    Victim,
    Inventory,
    Context,
}

use Part::{Attacker, Context, Exposed, Infected, Inventory, Victim};
use SubjectColumn::{DstIp, Ip, NoAddress, RefererIp, SrcIp};

impl ReportType {
    /// The type of that name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        let place = REPORT_TYPES.binary_search_by(|report| report.name.cmp(name)).ok()?;
        REPORT_TYPES.get(place)
    }

    /// What its rows are.
    pub(super) fn kind(&self) -> Kind {
        match self.part {
            Inventory => Kind::Inventory,
            Context => Kind::Context,
            Exposed if self.classification != "vulnerable-system" => Kind::Exposed,
            Exposed | Infected | Attacker | Victim => Kind::Vulnerable,
        }
    }

    /// Which part the subject plays.
    pub(super) fn side(&self) -> Side {
        match self.part {
            Exposed | Inventory | Context => Side::Exposed,
            Infected => Side::Infected,
            Attacker => Side::Attacker,
            Victim => Side::Victim,
        }
    }

    /// The producer's page about it.
    pub(super) fn url(&self) -> Option<String> {
        let page = self.page;
        (!page.is_empty())
            .then(|| format!("https://www.shadowserver.org/what-we-do/network-reporting/{page}/"))
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of the table below, one word a column")]
const fn t(
    name: &'static str,
    title: &'static str,
    page: &'static str,
    subject: SubjectColumn,
    part: Part,
    classification: &'static str,
    severity: &'static str,
    transport: &'static str,
    application: &'static str,
) -> ReportType {
    ReportType { name, title, page, subject, part, classification, severity, transport, application }
}

/// All types, ascending by name.
#[rustfmt::skip]
pub(super) static REPORT_TYPES: &[ReportType] = &[
    t("blocklist", "Block Listed IP Addresses", "blocklist-report", Ip, Context, "blocklist", "low", "", ""),
    t("compromised_account", "Compromised Account", "compromised-account-report", NoAddress, Victim, "data-leak", "critical", "", ""),
    t("compromised_iot", "Compromised IoT Device", "compromised-iot-report", Ip, Infected, "system-compromise", "critical", "", ""),
    t("compromised_iot6", "IPv6 Compromised IoT Device", "compromised-iot-report", Ip, Infected, "system-compromise", "critical", "", ""),
    t("compromised_website", "Compromised Website", "compromised-website-report", Ip, Infected, "system-compromise", "critical", "", ""),
    t("compromised_website6", "IPv6 Compromised Website", "compromised-website-report", Ip, Infected, "system-compromise", "critical", "", ""),
    t("device_id", "Device Identification", "device-identification-report", Ip, Inventory, "undetermined", "info", "", ""),
    t("device_id6", "IPv6 Device Identification", "device-identification-report", Ip, Inventory, "undetermined", "info", "", ""),
    t("event4_ddos_participant", "DDoS Participant", "ddos-participant-report", SrcIp, Attacker, "ddos", "high", "", ""),
    t("event4_honeypot_adb_scan", "Honeypot ADB Scanner Events", "honeypot-adb-scanner-events-report", SrcIp, Attacker, "scanner", "high", "", "adb"),
    t("event4_honeypot_brute_force", "Honeypot Brute Force Events", "honeypot-brute-force-events-report", SrcIp, Attacker, "brute-force", "critical", "", ""),
    t("event4_honeypot_darknet", "Darknet Events", "honeypot-darknet-events-report", SrcIp, Attacker, "other", "high", "", ""),
    t("event4_honeypot_ddos", "Honeypot DDoS Events", "honeypot-ddos-events", SrcIp, Attacker, "ddos", "critical", "", ""),
    t("event4_honeypot_ddos_amp", "Honeypot DDoS Amplification Events", "honeypot-amplification-ddos-events-report", SrcIp, Victim, "ddos", "info", "", ""),
    t("event4_honeypot_ddos_target", "Honeypot DDoS Target Events", "honeypot-ddos-target-events-report", DstIp, Victim, "ddos", "info", "", ""),
    t("event4_honeypot_http_scan", "Honeypot HTTP Scanner Events", "honeypot-http-scanner-events", SrcIp, Attacker, "scanner", "high", "", "http"),
    t("event4_honeypot_ics_scan", "Honeypot ICS Scanner Events", "honeypot-ics-scanner-events-report", SrcIp, Attacker, "scanner", "critical", "", ""),
    t("event4_honeypot_ikev2_scan", "Honeypot IKEv2 Scanner Events", "honeypot-ikev2-scanner-events-report", SrcIp, Attacker, "scanner", "high", "", "ikev2"),
    t("event4_honeypot_rdp_scan", "Honeypot RDP Scanner Events", "honeypot-rdp-scanner-events-report", SrcIp, Attacker, "scanner", "high", "", "rdp"),
    t("event4_honeypot_rocketmq_scan", "Honeypot RocketMQ Scanner Events", "honeypot-rocketmq-scanner-events-report", SrcIp, Attacker, "scanner", "high", "", "rocketmq"),
    t("event4_honeypot_smb_scan", "Honeypot SMB Scanner Events", "honeypot-smb-scanner-events-report", SrcIp, Attacker, "scanner", "high", "", "smb"),
    t("event4_ip_spoofer", "IP Spoofer Events", "ip-spoofer-events-report", SrcIp, Exposed, "masquerade", "medium", "", ""),
    t("event4_microsoft_sinkhole", "Microsoft Sinkhole events", "microsoft-sinkhole-events-report", SrcIp, Infected, "infected-system", "critical", "", ""),
    t("event4_microsoft_sinkhole_http", "Microsoft Sinkhole HTTP Events", "microsoft-sinkhole-http-events-report", SrcIp, Infected, "infected-system", "critical", "", "http"),
    t("event4_sinkhole", "Sinkhole Events", "sinkhole-events-report", SrcIp, Infected, "infected-system", "critical", "", ""),
    t("event4_sinkhole_dns", "Sinkhole DNS Events", "sinkhole-dns-events-report", SrcIp, Infected, "other", "info", "", "dns"),
    t("event4_sinkhole_http", "Sinkhole HTTP Events", "sinkhole-http-events-report", SrcIp, Infected, "infected-system", "critical", "", "http"),
    t("event4_sinkhole_http_referer", "Sinkhole HTTP Referer Events", "sinkhole-http-referer-events-report", RefererIp, Infected, "infected-system", "critical", "", "http"),
    t("event6_sinkhole", "IPv6 Sinkhole Events", "sinkhole-events-report", SrcIp, Infected, "infected-system", "critical", "", ""),
    t("event6_sinkhole_http", "IPv6 Sinkhole HTTP Events", "sinkhole-http-events-report", SrcIp, Infected, "infected-system", "critical", "", "http"),
    t("event6_sinkhole_http_referer", "IPv6 Sinkhole HTTP Referer Events", "sinkhole-http-referer-events-report", RefererIp, Infected, "infected-system", "critical", "", "http"),
    t("malware_url", "Malware URL", "malware-url-report", Ip, Infected, "malware-distribution", "critical", "", ""),
    t("population6_bgp", "IPv6 Accessible BGP", "accessible-bgp-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "bgp"),
    t("population6_http_proxy", "IPv6 Accessible HTTP Proxy", "accessible-http-proxy-report", Ip, Exposed, "other", "low", "", "http"),
    t("population6_isakmp", "IPv6 Accessible ISAKMP", "accessible-isakmp-report", Ip, Inventory, "other", "info", "", "ipsec"),
    t("population6_msmq", "IPv6 Accessible MSMQ Service", "accessible-msmq-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "msmq"),
    t("population_bgp", "Accessible BGP", "accessible-bgp-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "bgp"),
    t("population_http_proxy", "Accessible HTTP Proxy", "accessible-http-proxy-report", Ip, Exposed, "other", "low", "", "http"),
    t("population_isakmp", "Accessible ISAKMP", "accessible-isakmp-report", Ip, Inventory, "other", "info", "", "ipsec"),
    t("population_msmq", "Accessible MSMQ Service", "accessible-msmq-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "msmq"),
    t("population_ntrip", "Accessible NTRIP", "accessible-ntrip-report", Ip, Inventory, "other", "info", "", "ntrip"),
    t("ransomware_victim", "Ransomware victim", "ransomware-victim-report", NoAddress, Victim, "system-compromise", "info", "", ""),
    t("sandbox_conn", "Sandbox Connections", "sandbox-connection-report", Ip, Context, "malware-distribution", "low", "", ""),
    t("sandbox_dns", "Sandbox DNS", "", NoAddress, Context, "other", "", "", "dns"),
    t("sandbox_url", "Sandbox URL", "sandbox-url-report", Ip, Context, "malware-distribution", "low", "", ""),
    t("scan6_activemq", "IPv6 Accessible ActiveMQ Service", "accessible-activemq-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "activemq"),
    t("scan6_badsecrets", "IPv6 Badsecrets", "badsecrets-report", Ip, Exposed, "weak-crypto", "high", "", "http"),
    t("scan6_bgp", "IPv6 Open BGP", "open-bgp-service-report", Ip, Exposed, "vulnerable-system", "high", "", "bgp"),
    t("scan6_cwmp", "IPv6 Accessible CWMP", "open-cwmp-report", Ip, Exposed, "vulnerable-system", "medium", "", "cwmp"),
    t("scan6_dns", "IPv6 DNS Open Resolvers", "dns-open-resolvers-report", Ip, Exposed, "vulnerable-system", "medium", "", "dns"),
    t("scan6_elasticsearch", "IPv6 Open Elasticsearch Server", "open-elasticsearch-report", Ip, Exposed, "vulnerable-system", "low", "", "elasticsearch"),
    t("scan6_exchange", "IPv6 Vulnerable Exchange Server", "vulnerable-exchange-server-report", Ip, Exposed, "vulnerable-system", "critical", "", "exchange"),
    t("scan6_ftp", "IPv6 Accessible FTP Service", "accessible-ftp-report", Ip, Exposed, "vulnerable-system", "medium", "", "ftp"),
    t("scan6_http", "IPv6 Accessible HTTP", "accessible-http-report", Ip, Exposed, "other", "info", "", "http"),
    t("scan6_http_proxy", "IPv6 Open HTTP Proxy", "open-http-proxy-report", Ip, Exposed, "vulnerable-system", "medium", "", "http"),
    t("scan6_http_vulnerable", "IPv6 Vulnerable HTTP", "vulnerable-http-report", Ip, Exposed, "vulnerable-system", "critical", "", "http"),
    t("scan6_imap", "IPv6 Accessible IMAP", "accessible-imap-report", Ip, Exposed, "other", "low", "", "imap"),
    t("scan6_imap_vulnerable", "IPv6 Vulnerable IMAP", "vulnerable-imap-report", Ip, Exposed, "vulnerable-system", "medium", "", "imap"),
    t("scan6_ip_tunnel", "IPv6 Open IP-Tunnel", "open-ip-tunnel-report", Ip, Exposed, "vulnerable-system", "medium", "", ""),
    t("scan6_ipp", "IPv6 Open IPP", "open-ipp-report", Ip, Exposed, "vulnerable-system", "high", "", "ipp"),
    t("scan6_isakmp", "IPv6 Vulnerable ISAKMP", "vulnerable-isakmp-report", Ip, Exposed, "vulnerable-system", "low", "", "ipsec"),
    t("scan6_ldap_tcp", "IPv6 Open LDAP (TCP) Services", "open-ldap-tcp-report", Ip, Exposed, "vulnerable-system", "high", "", "ldap"),
    t("scan6_mongodb", "IPv6 Open MongoDB Service", "open-mongodb-report", Ip, Exposed, "vulnerable-system", "high", "", "mongodb"),
    t("scan6_mqtt", "IPv6 Open MQTT", "open-mqtt-report", Ip, Exposed, "vulnerable-system", "medium", "", "mqtt"),
    t("scan6_mqtt_anon", "IPv6 Open Anonymous MQTT", "open-mqtt-report", Ip, Exposed, "vulnerable-system", "high", "", "mqtt"),
    t("scan6_msrpc", "IPv6 Accessible MS-RPC Service", "accessible-ms-rpc-service-report", Ip, Exposed, "potentially-unwanted-accessible", "high", "", ""),
    t("scan6_mysql", "IPv6 Accessible MySQL Server", "accessible-mysql-server-report", Ip, Exposed, "vulnerable-system", "high", "", "mysql"),
    t("scan6_ntp", "IPv6 NTP Version", "ntp-version-report", Ip, Exposed, "vulnerable-system", "medium", "", "ntp"),
    t("scan6_ntpmonitor", "IPv6 NTP Monitor", "ntp-monitor-report", Ip, Exposed, "vulnerable-system", "medium", "", "ntp"),
    t("scan6_pop3", "IPv6 Accessible POP3", "accessible-pop3-report", Ip, Exposed, "other", "low", "", "pop3"),
    t("scan6_pop3_vulnerable", "IPv6 Vulnerable POP3", "vulnerable-pop3-report", Ip, Exposed, "vulnerable-system", "medium", "", "pop3"),
    t("scan6_postgres", "IPv6 Accessible PostgreSQL Server", "accessible-postgresql-server-report", Ip, Exposed, "vulnerable-system", "high", "", "postgres"),
    t("scan6_rdp", "IPv6 Accessible RDP", "accessible-rdp-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "rdp"),
    t("scan6_rsync", "IPv6 Accessible Rsync Service", "accessible-rsync-report", Ip, Exposed, "vulnerable-system", "medium", "", "rsync"),
    t("scan6_slp", "IPv6 Accessible SLP Service", "accessible-slp-service-report", Ip, Exposed, "vulnerable-system", "high", "", "slp"),
    t("scan6_smb", "IPv6 Accessible SMB Service", "accessible-smb-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "smb"),
    t("scan6_smtp", "IPv6 Accessible SMTP", "accessible-smtp-report", Ip, Exposed, "other", "info", "", "smtp"),
    t("scan6_smtp_vulnerable", "IPv6 Vulnerable SMTP", "vulnerable-smtp-report", Ip, Exposed, "vulnerable-system", "critical", "", "smtp"),
    t("scan6_snmp", "IPv6 Open SNMP", "open-snmp-report", Ip, Exposed, "vulnerable-system", "high", "", "snmp"),
    t("scan6_ssh", "IPv6 Accessible SSH", "accessible-ssh-report", Ip, Exposed, "other", "low", "", ""),
    t("scan6_ssl", "IPv6 Accessible SSL", "accessible-ssl-report", Ip, Exposed, "other", "info", "", "https"),
    t("scan6_ssl_freak", "IPv6 SSL/Freak Vulnerable Servers", "ssl-freak-report", Ip, Exposed, "weak-crypto", "low", "", "https"),
    t("scan6_ssl_poodle", "IPv6 SSLv3/Poodle Vulnerable Servers", "ssl-poodle-report", Ip, Exposed, "weak-crypto", "low", "", "https"),
    t("scan6_stun", "IPv6 Accessible Session Traversal Utilities for NAT", "accessible-stun-service-report", Ip, Exposed, "other", "medium", "", "stun"),
    t("scan6_telnet", "IPv6 Accessible Telnet Service", "accessible-telnet-report", Ip, Exposed, "vulnerable-system", "medium", "", "telnet"),
    t("scan6_vnc", "IPv6 Accessible VNC Service", "accessible-vnc-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "vnc"),
    t("scan_activemq", "Accessible ActiveMQ Service", "accessible-activemq-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "activemq"),
    t("scan_adb", "Accessible Android Debug Bridge", "accessible-adb-report", Ip, Exposed, "vulnerable-system", "critical", "", "adb"),
    t("scan_afp", "Accessible Apple Filing Protocol", "accessible-afp-report", Ip, Exposed, "vulnerable-system", "high", "", "afp"),
    t("scan_amqp", "Accessible AMQP", "accessible-amqp-report", Ip, Exposed, "vulnerable-system", "medium", "", "amqp"),
    t("scan_ard", "Accessible Apple Remote Desktop", "accessible-apple-remote-desktop-ard-report", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_badsecrets", "Badsecrets", "badsecrets-report", Ip, Exposed, "weak-crypto", "high", "", "http"),
    t("scan_bgp", "Open BGP", "open-bgp-service-report", Ip, Exposed, "vulnerable-system", "high", "", "bgp"),
    t("scan_chargen", "Open Chargen", "open-chargen-report", Ip, Exposed, "vulnerable-system", "medium", "", "chargen"),
    t("scan_cisco_smart_install", "Accessible Cisco Smart Install", "accessible-cisco-smart-install-report", Ip, Exposed, "vulnerable-system", "critical", "", "cisco-smart-install"),
    t("scan_coap", "Accessible CoAP", "accessible-coap-report", Ip, Exposed, "vulnerable-system", "medium", "", "coap"),
    t("scan_couchdb", "Accessible CouchDB Server", "accessible-couchdb-report", Ip, Exposed, "vulnerable-system", "high", "", "couchdb"),
    t("scan_cwmp", "Accessible CWMP", "open-cwmp-report", Ip, Exposed, "vulnerable-system", "medium", "", "cwmp"),
    t("scan_db2", "Open DB2 Discovery Service", "open-db2-discovery-service-report", Ip, Exposed, "vulnerable-system", "high", "", "db2"),
    t("scan_ddos_middlebox", "Vulnerable DDoS Middlebox", "vulnerable-ddos-middlebox-report", Ip, Exposed, "vulnerable-system", "medium", "", ""),
    t("scan_dns", "DNS Open Resolvers", "dns-open-resolvers-report", Ip, Exposed, "vulnerable-system", "medium", "", "dns"),
    t("scan_docker", "Accessible Docker Service", "accessible-docker-service-report", Ip, Exposed, "vulnerable-system", "critical", "", "docker"),
    t("scan_dvr_dhcpdiscover", "Accessible DVR DHCPDiscover", "open-dvr-dhcpdiscover-report", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_elasticsearch", "Open Elasticsearch Server", "open-elasticsearch-report", Ip, Exposed, "vulnerable-system", "high", "", "elasticsearch"),
    t("scan_epmd", "Accessible Erlang Port Mapper Daemon", "accessible-erlang-port-mapper-report-daemon", Ip, Exposed, "vulnerable-system", "high", "", "epmd"),
    t("scan_exchange", "Vulnerable Exchange Server", "vulnerable-exchange-server-report", Ip, Exposed, "vulnerable-system", "critical", "", "exchange"),
    t("scan_ftp", "Accessible FTP Service", "accessible-ftp-report", Ip, Exposed, "vulnerable-system", "medium", "", "ftp"),
    t("scan_gtp", "Accessible GPRS Tunneling Protocol (GTP)", "accessible-gprs-tunneling-protocol-gtp-report", Ip, Exposed, "potentially-unwanted-accessible", "low", "", ""),
    t("scan_hadoop", "Accessible Hadoop Service", "accessible-hadoop-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "hadoop"),
    t("scan_http", "Accessible HTTP", "accessible-http-report", Ip, Exposed, "other", "info", "", "http"),
    t("scan_http_proxy", "Open HTTP Proxy", "open-http-proxy-report", Ip, Exposed, "vulnerable-system", "medium", "", "http"),
    t("scan_http_vulnerable", "Vulnerable HTTP", "vulnerable-http-report", Ip, Exposed, "vulnerable-system", "critical", "", "http"),
    t("scan_ics", "Accessible ICS", "accessible-ics-report", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_imap", "Accessible IMAP", "accessible-imap-report", Ip, Exposed, "other", "low", "", "imap"),
    t("scan_imap_vulnerable", "Vulnerable IMAP", "vulnerable-imap-report", Ip, Exposed, "vulnerable-system", "medium", "", "imap"),
    t("scan_ip_tunnel", "Open IP-Tunnel", "open-ip-tunnel-report", Ip, Exposed, "vulnerable-system", "medium", "", ""),
    t("scan_ipmi", "Open IPMI", "open-ipmi-report", Ip, Exposed, "vulnerable-system", "high", "udp", "ipmi"),
    t("scan_ipp", "Open IPP", "open-ipp-report", Ip, Exposed, "vulnerable-system", "high", "", "ipp"),
    t("scan_isakmp", "Vulnerable ISAKMP", "vulnerable-isakmp-report", Ip, Exposed, "vulnerable-system", "low", "", "ipsec"),
    t("scan_kubernetes", "Accessible Kubernetes API Server", "accessible-kubernetes-api-server-report", Ip, Exposed, "vulnerable-system", "high", "", "kubernetes"),
    t("scan_ldap_tcp", "Open LDAP (TCP) Services", "open-ldap-tcp-report", Ip, Exposed, "vulnerable-system", "high", "", "ldap"),
    t("scan_ldap_udp", "Open LDAP Services", "open-ldap-report", Ip, Exposed, "vulnerable-system", "high", "", "ldap"),
    t("scan_loop_dos", "Loop DoS", "high-loop-dos-report", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_mdns", "Open mDNS", "open-mdns-report", Ip, Exposed, "vulnerable-system", "medium", "", "mdns"),
    t("scan_memcached", "Open Memcached Server", "open-memcached-report", Ip, Exposed, "vulnerable-system", "high", "", "memcached"),
    t("scan_mongodb", "Open MongoDB Service", "open-mongodb-report", Ip, Exposed, "vulnerable-system", "high", "", "mongodb"),
    t("scan_mqtt", "Open MQTT", "open-mqtt-report", Ip, Exposed, "vulnerable-system", "medium", "", "mqtt"),
    t("scan_mqtt_anon", "Open Anonymous MQTT", "open-mqtt-report", Ip, Exposed, "vulnerable-system", "high", "", "mqtt"),
    t("scan_msrpc", "Accessible MS-RPC Service", "accessible-ms-rpc-service-report", Ip, Exposed, "potentially-unwanted-accessible", "high", "", ""),
    t("scan_mssql", "Open MS-SQL Server Resolution Service", "open-ms-sql-server-resolution-service-report", Ip, Exposed, "vulnerable-system", "high", "", "mssql"),
    t("scan_mysql", "Accessible MySQL Server", "accessible-mysql-server-report", Ip, Exposed, "vulnerable-system", "high", "", "mysql"),
    t("scan_nat_pmp", "Vulnerable NAT-PMP Systems", "open-nat-pmp-report", Ip, Exposed, "vulnerable-system", "high", "", "natpmp"),
    t("scan_netbios", "Open Netbios", "open-netbios-report", Ip, Exposed, "vulnerable-system", "high", "", "netbios-ns"),
    t("scan_netis_router", "Netcore/Netis Router Vulnerability", "netcore-netis-router-vulnerability-scan-report", Ip, Exposed, "vulnerable-system", "critical", "udp", ""),
    t("scan_ntp", "NTP Version", "ntp-version-report", Ip, Exposed, "vulnerable-system", "medium", "", "ntp"),
    t("scan_ntpmonitor", "NTP Monitor", "ntp-monitor-report", Ip, Exposed, "vulnerable-system", "medium", "", "ntp"),
    t("scan_pop3", "Accessible POP3", "accessible-pop3-report", Ip, Exposed, "other", "low", "", "pop3"),
    t("scan_pop3_vulnerable", "Vulnerable POP3", "vulnerable-pop3-report", Ip, Exposed, "vulnerable-system", "medium", "", "pop3"),
    t("scan_portmapper", "Open Portmapper", "open-portmapper-report", Ip, Exposed, "vulnerable-system", "medium", "", "portmapper"),
    t("scan_post_exploitation_framework", "Post-Exploitation Framework", "post-exploitation-framework", Ip, Infected, "infected-system", "high", "", ""),
    t("scan_postgres", "Accessible PostgreSQL Server", "accessible-postgresql-server-report", Ip, Exposed, "vulnerable-system", "high", "", "postgres"),
    t("scan_qotd", "Open QOTD", "open-qotd-report", Ip, Exposed, "vulnerable-system", "medium", "", "qotd"),
    t("scan_quic", "Accessible QUIC", "accessible-quic-report", Ip, Exposed, "other", "info", "", ""),
    t("scan_radmin", "Accessible Radmin", "accessible-radmin-report", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_rdp", "Accessible RDP", "accessible-rdp-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "rdp"),
    t("scan_rdpeudp", "Accessible MS-RDPEUDP", "accessible-ms-rdpeudp", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_redis", "Open Redis Server", "open-redis-report", Ip, Exposed, "vulnerable-system", "high", "", "redis"),
    t("scan_rsync", "Accessible Rsync Service", "accessible-rsync-report", Ip, Exposed, "vulnerable-system", "medium", "", "rsync"),
    t("scan_sip", "Accessible SIP", "accessible-sip-report", Ip, Exposed, "vulnerable-system", "high", "", "sip"),
    t("scan_slp", "Accessible SLP Service", "accessible-slp-service-report", Ip, Exposed, "vulnerable-system", "high", "", "slp"),
    t("scan_smb", "Accessible SMB Service", "accessible-smb-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "smb"),
    t("scan_smtp", "Accessible SMTP", "accessible-smtp-report", Ip, Exposed, "other", "info", "", "smtp"),
    t("scan_smtp_vulnerable", "Vulnerable SMTP", "vulnerable-smtp-report", Ip, Exposed, "vulnerable-system", "critical", "", "smtp"),
    t("scan_snmp", "Open SNMP", "open-snmp-report", Ip, Exposed, "vulnerable-system", "high", "", "snmp"),
    t("scan_socks", "Accessible SOCKS4/5 Proxy", "accessible-socks4-5-proxy-report", Ip, Exposed, "vulnerable-system", "medium", "", ""),
    t("scan_ssdp", "Open SSDP", "open-ssdp-report", Ip, Exposed, "vulnerable-system", "high", "", "ssdp"),
    t("scan_ssh", "Accessible SSH", "accessible-ssh-report", Ip, Exposed, "other", "low", "", ""),
    t("scan_ssl", "Accessible SSL", "accessible-ssl-report", Ip, Exposed, "other", "info", "", "https"),
    t("scan_ssl_freak", "SSL/Freak Vulnerable Servers", "ssl-freak-report", Ip, Exposed, "weak-crypto", "low", "", "https"),
    t("scan_ssl_poodle", "SSLv3/Poodle Vulnerable Servers", "ssl-poodle-report", Ip, Exposed, "weak-crypto", "low", "", "https"),
    t("scan_stun", "Accessible Session Traversal Utilities for NAT", "accessible-stun-service-report", Ip, Exposed, "other", "medium", "", "stun"),
    t("scan_synfulknock", "SYNful Knock", "synful-scan-report", Ip, Infected, "vulnerable-system", "critical", "", ""),
    t("scan_telnet", "Accessible Telnet Service", "accessible-telnet-report", Ip, Exposed, "vulnerable-system", "medium", "", "telnet"),
    t("scan_tftp", "Open TFTP Servers", "open-accessible-tftp-report", Ip, Exposed, "vulnerable-system", "medium", "", "tftp"),
    t("scan_ubiquiti", "Accessible Ubiquiti Discovery Service", "open-ubiquiti-report", Ip, Exposed, "vulnerable-system", "high", "", ""),
    t("scan_vnc", "Accessible VNC Service", "accessible-vnc-report", Ip, Exposed, "vulnerable-system", "high", "tcp", "vnc"),
    t("scan_ws_discovery", "Accessible WS-Discovery Service", "accessible-ws-discovery-service-report", Ip, Exposed, "vulnerable-system", "medium", "", "ws-discovery"),
    t("scan_xdmcp", "Accessible XDMCP Service", "accessible-xdmcp-service-report", Ip, Exposed, "vulnerable-system", "high", "", "xdmcp"),
    t("spam_url", "Spam URL", "spam-url-report", Ip, Infected, "spam", "low", "", ""),
    t("special", "Special", "", Ip, Exposed, "vulnerable-system", "", "", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_170_types_are_there_in_order() {
        assert_eq!(REPORT_TYPES.len(), 170);
        assert!(REPORT_TYPES.is_sorted_by(|a, b| a.name < b.name));
        assert!(
            REPORT_TYPES.iter().all(|t| ReportType::find(t.name).is_some_and(|found| found.name == t.name))
        );
        assert!(ReportType::find("").is_none() && ReportType::find("scan_RDP").is_none());
    }

    #[test]
    fn every_type_has_plausible_values() {
        // The types of IntelMQ 3.5's classification that occur, and the five levels of severity.
        let classifications = [
            "blocklist",
            "brute-force",
            "data-leak",
            "ddos",
            "infected-system",
            "malware-distribution",
            "masquerade",
            "other",
            "potentially-unwanted-accessible",
            "scanner",
            "spam",
            "system-compromise",
            "undetermined",
            "vulnerable-system",
            "weak-crypto",
        ];
        let severities = ["critical", "high", "medium", "low", "info"];
        let is_slug = |text: &str| text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        for t in REPORT_TYPES {
            assert!(t.name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{t:?}");
            assert!(!t.title.is_empty() && is_slug(t.page), "{t:?}");
            assert!(classifications.contains(&t.classification), "{t:?}");
            assert!(severities.contains(&t.severity) || matches!(t.name, "special" | "sandbox_dns"), "{t:?}");
            assert!(["", "tcp", "udp"].contains(&t.transport) && is_slug(t.application), "{t:?}");
            assert_eq!(t.name.starts_with("event"), matches!(t.subject, SrcIp | DstIp | RefererIp), "{t:?}");
        }
    }

    #[test]
    fn the_producer_s_counts_of_subjects_hold() {
        let count = |subject| REPORT_TYPES.iter().filter(|t| t.subject == subject).count();
        assert_eq!([Ip, SrcIp, DstIp, RefererIp, NoAddress].map(count), [144, 20, 1, 2, 3]);
    }

    #[test]
    fn a_row_is_what_its_type_says() {
        let check = |name, kind, side| {
            let t = ReportType::find(name).unwrap();
            assert_eq!((t.kind(), t.side()), (kind, side), "{name}");
        };
        check("scan_rdp", Kind::Vulnerable, Side::Exposed);
        check("scan_ssl_poodle", Kind::Exposed, Side::Exposed);
        check("event4_sinkhole", Kind::Vulnerable, Side::Infected);
        check("event4_honeypot_brute_force", Kind::Vulnerable, Side::Attacker);
        check("event4_honeypot_ddos_amp", Kind::Vulnerable, Side::Victim);
        check("event4_honeypot_ddos_target", Kind::Vulnerable, Side::Victim);
        check("ransomware_victim", Kind::Vulnerable, Side::Victim); // severity info is no inventory
        check("population_isakmp", Kind::Inventory, Side::Exposed);
        check("population_bgp", Kind::Vulnerable, Side::Exposed); // severity medium
        check("device_id6", Kind::Inventory, Side::Exposed);
        for context in ["blocklist", "sandbox_conn", "sandbox_dns", "sandbox_url"] {
            check(context, Kind::Context, Side::Exposed);
        }
        let inventory = REPORT_TYPES.iter().filter(|t| t.kind() == Kind::Inventory).map(|t| t.name);
        let expected =
            ["device_id", "device_id6", "population6_isakmp", "population_isakmp", "population_ntrip"];
        assert!(inventory.eq(expected));
    }
}
