# SUPERPIX_SANITIZE=address,undefined instruments everything that is built, the tests included.
if(SUPERPIX_SANITIZE)
  add_compile_options(-fsanitize=${SUPERPIX_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all -g1)  # -g triples the time of compilation
  add_link_options(-fsanitize=${SUPERPIX_SANITIZE})
endif()
