;;; SPDX-License-Identifier: LGPL-3.0-or-later

(use-modules (harness)
             (harness process)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (sockport))

(define lo
  (find (lambda (interface) (string=? "lo" (network-interface-name interface)))
        (network-interfaces)))

(define (sys name file)
  (string-trim-right
   (call-with-input-file (string-append "/sys/class/net/" name "/" file)
     get-string-all)))

(test-begin "interface")

(test-case "names and indices"
  (test-equal "index" (string->number (sys "lo" "ifindex"))
    (if-nametoindex "lo"))
  (test-equal "name" "lo" (if-indextoname (if-nametoindex "lo")))
  (test-error* "no such name" '(system-error 19 "if-nametoindex")
    (if-nametoindex "no-such"))
  (test-error* "a name that is too long" '(system-error 19)
    (if-nametoindex (make-string 300 #\x)))
  (test-error* "a NUL inside" '(system-error 19)
    (if-nametoindex (string #\l #\o #\nul)))
  (test-error* "no such index" '(system-error 6 "if-indextoname")
    (if-indextoname 2147483647))
  (test-error* "an index is a number" '(wrong-type-arg 1) (if-indextoname "lo"))
  (test-error* "a name is a string" '(wrong-type-arg 1) (if-nametoindex 1))
  (for-each (lambda (number)
              (test-error* (number->string number) '(out-of-range 1)
                (if-indextoname number)))
            (list -1 (expt 2 31) (expt 2 32) (expt 2 64) (expt 2 70)
                  (- (expt 2 70))))
  (test-error* "1.5" '(wrong-type-arg 1) (if-indextoname 1.5)))

(test-case "the list"
  (test-assert "lo is there" lo)
  (test-assert "and is one" (network-interface? lo))
  (test-equal "index" (if-nametoindex "lo") (network-interface-index lo))
  (test-assert "flags"
    (logtest IFF_LOOPBACK (network-interface-flags lo)))
  (test-equal "hardware address" #vu8(0 0 0 0 0 0)
    (network-interface-hardware-address lo))
  (test-equal "IPv4 address and prefix" '((2130706433 8))
    (filter-map (lambda (a)
                  (and (interface-address? a)
                       (= AF_INET (sockaddr:fam (interface-address-address a)))
                       (list (sockaddr:addr (interface-address-address a))
                             (interface-address-prefix a))))
                (network-interface-addresses lo))))

(test-case "peers are broadcast addresses or other ends"
  (test-assert "an address or #f"
    (every (lambda (a)
             (or (not (interface-address-peer a))
                 (sockaddr? (interface-address-peer a))))
           (append-map network-interface-addresses (network-interfaces)))))

(test-case "the list is the kernel's"
  (let ((listed (map network-interface-name (network-interfaces))))
    (test-equal "names" '()
      (lset-difference string=? listed
                       ((@ (ice-9 ftw) scandir) "/sys/class/net")))
    (test-equal "indices in order" (sort listed (lambda (a b)
                                                  (< (if-nametoindex a)
                                                     (if-nametoindex b))))
      listed)))

(test-end "interface")
